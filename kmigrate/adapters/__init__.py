"""One module per outside system; vendor imports, errors and secrets stop here."""
