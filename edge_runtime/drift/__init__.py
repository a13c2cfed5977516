"""Notice when a camera sees something else than the photographs on which its model was trained."""
