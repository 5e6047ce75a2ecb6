"""The network of "CNS: Correspondence Encoded Neural Image Servo Policy" (Chen et al., ICRA 2024), in PyTorch."""
