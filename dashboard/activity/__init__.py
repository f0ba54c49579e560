"""Looking at activations and into the network: contact sheets, histograms, feature maps."""
