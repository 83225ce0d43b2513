"""What other programs need to know of the contract, rendered from the table of channels and never edited.

`python -m noc_bus.render` writes the committed files, `python -m noc_bus.render --check` compares them.
"""
