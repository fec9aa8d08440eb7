"""Packages a stage for deployment: the function, the template and the layers."""
