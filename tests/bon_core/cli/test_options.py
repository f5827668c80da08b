"""The options of train, as the settings make them."""

import re

import pytest

from bon_core.cli.main import main


def test_what_only_research_turns_stands_in_a_group_of_its_own(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    before, research = re.split(r"(?m)^research:$", capsys.readouterr().out)
    flags = ["--mate-schedule", "--active-goal", "--hamming", "--cluster-feature", "--matching", "--masks"]
    for flag in [*flags, "--doubling", "--test-norm"]:
        assert re.search(rf"(?m)^  {flag}\b", research) and not re.search(rf"(?m)^  {flag}\b", before), flag
    assert len(re.findall(r"(?m)^  --", research)) == 8
