"""What speaks HTTP to another Stagewright process."""
