"""The parts of a check: subgraphs laid out, links resolved, maps, values, types of links."""
