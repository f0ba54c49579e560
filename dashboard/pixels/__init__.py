"""Looking at single pixels: their spectra and activations, and how classes lie apart."""
