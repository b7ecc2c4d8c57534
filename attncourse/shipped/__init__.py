"""The files of the translator that comes with the package: see `attncourse.recipes.shipped`."""
