"""The pages that collect pictures and review kept frames, and what they request."""
