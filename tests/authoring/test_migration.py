"""Migration steps on saved nodes."""

from __future__ import annotations

from graphflow import SavedNodeEdit


def test_an_input_takes_its_value_links_and_map_along() -> None:
    saved = SavedNodeEdit({"cfg": 7}, {"old": "a.b"}, ["cfg", "other"])
    saved.rename_input("cfg", "guidance")
    saved.rename_input("old", "new")
    assert (saved.values, saved.links, saved.mapped) == ({"guidance": 7}, {"new": "a.b"}, ["guidance", "other"])


def test_an_old_default_is_written_down_only_where_nothing_was_saved() -> None:
    saved = SavedNodeEdit({"a": 1}, {"b": "x.y"}, [])
    for name in ("a", "b", "c"):
        saved.keep_default(name, 9)
    assert saved.values == {"a": 1, "c": 9}


def test_a_removed_input_leaves_nothing() -> None:
    saved = SavedNodeEdit({"a": 1}, {"a": "x.y"}, ["a"])
    saved.remove_input("a")
    assert (saved.values, saved.links, saved.mapped) == ({}, {}, [])


def test_a_renamed_output_is_remembered_for_links() -> None:
    saved = SavedNodeEdit({}, {}, [])
    saved.rename_output("image", "picture")
    assert saved.renamed_outputs == {"image": "picture"}
