"""How well a pack tells people apart, measured on labelled faces; never imported at run time."""
