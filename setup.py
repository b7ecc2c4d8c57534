"""What `pyproject.toml` cannot say: the packages are those found, and the records beside them."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["attncourse", "attncourse.*"]), "attncourse.results"])
