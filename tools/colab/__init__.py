"""The notebooks that readers on Colab and in Jupyter get, made from those of the book.

    python -m tools.colab                          of the state of HEAD, into _build/colab
    python -m tools.colab --commit SHA --to FOLDER

The book's notebooks are written for the book: their prose holds directives and roles, their figures
have captions in the metadata, their outputs are stored. Colab and Jupyter know plain Markdown. So
`markdown` reads our Markdown, `book` knows what every label, citation and number stands for,
`prose` writes a text without directives and roles, `notebook` does the rest of a notebook and
writes them all. What the tool does not know, it refuses, and names the notebook and the cell.
"""
