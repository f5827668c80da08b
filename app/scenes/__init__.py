"""The guided scenes of Learn: a file each, over `lesson` (what a scene is) and `anchors` (what three of them share)."""
