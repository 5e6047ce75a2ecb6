"""From two grey pictures to the velocity of the camera: features, matches, agreement, policies."""
