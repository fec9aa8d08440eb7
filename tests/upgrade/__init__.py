"""The previous release's code and this one's, on the same stores."""
