"""Write a bundle: manifest, golden images, report."""
