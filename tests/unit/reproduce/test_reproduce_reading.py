"""A reproduction's file: what it says, and what is refused, in one line each."""

import re

import pytest

from horae.errors import ConfigError
from horae.reproduce import check, plan_of, source_of
from horae.reproduce.claims import Check
from horae.reproduce.finding import every, find
from horae.reproduce.reading import read

CLAIM = '[claim]\npaper = "P"\nwhere = "Table 1"\nwords = "It helps."\n'
SMALL = '[small]\nwords = "digits"\nvary = { clustering = ["single", "auxo"] }\n'
PAPER = '[paper]\nwords = "nothing larger"\nnone = true\n'
ROW = '[[check]]\nwords = "accuracy"\narm = "auxo"\nmeasure = "accuracy"\ndirection = "higher"\npaper = "+3"\n'


def written(tmp_path, text, name="one"):
    folder = tmp_path / "it"
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(tmp_path, text):
    with pytest.raises(ConfigError) as why:
        one = read(written(tmp_path, text))
        check(one, "small")
    assert "\n" not in str(why.value)
    return str(why.value)


def test_a_file_is_a_claim_two_sizes_and_rows(tmp_path):
    one = read(
        written(tmp_path, CLAIM + SMALL + 'against = "single"\nset = { budget.participations = 60 }\n' + PAPER + ROW)
    )
    assert (one.title, one.claim.words, one.sizes["paper"].none) == ("it/one", "It helps.", True)
    assert one.sizes["small"].settings == {"budget.participations": 60}
    assert one.checks == (
        Check(
            "accuracy", {"small": ("auxo",), "paper": ("auxo",)}, {"small": None, "paper": None}, "accuracy", "higher",
            "+3", 0.0, False, ("small", "paper"), "",
        ),
    )  # fmt: skip
    plan = plan_of(one.sizes["small"], [0, 1])
    assert [arm.name for arm in plan.arms] == ["single", "auxo"]
    assert plan.experiment(plan.arms[1], 1).budget.participations == 60


def test_sides_are_arms_pairs_numbers_and_may_differ_by_size(tmp_path):
    row = (
        '[[check]]\nwords = "w"\narm = { small = ["a", "b"], paper = "c" }\nagainst = 0.5\nmeasure = "speedup_time"\n'
        'direction = "same"\nwithin = 0.1\npaper = "1"\n'
    )
    one = read(written(tmp_path, CLAIM + SMALL + PAPER + row)).checks[0]
    assert one.arm == {"small": ("a", "b"), "paper": ("c",)}
    assert one.against == {"small": 0.5, "paper": 0.5}
    assert one.ratio, "a speed-up is a quotient"


def test_arms_of_another_file_and_runs_of_another_reproduction(tmp_path):
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "arms.toml").write_text('[[arm]]\nname = "x"\nset = { clustering.name = "single" }\n')
    text = CLAIM + '[small]\nwords = "d"\narms = "arms.toml"\nset = { participants = 5 }\n' + PAPER
    first = read(written(tmp_path, text + ROW.replace('"auxo"', '"x"') + "against = 0.9\n", "first"))
    second = CLAIM + '[small]\nwords = "d"\nruns = "first"\n' + PAPER + ROW.replace('"auxo"', '"x"')
    other = read(written(tmp_path, second, "second"))
    check(first, "small")
    check(other, "small")
    assert source_of(other, "small") == first
    assert source_of(first, "small") is first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SMALL + PAPER + ROW, r"one.toml: claim should be there \(\[claim\]\)"),
        (CLAIM + PAPER + ROW, r"small should be there"),
        (CLAIM + SMALL + PAPER, r"check should have a table for each row"),
        (CLAIM.replace("where", "wher") + SMALL + PAPER + ROW, "claim has no 'wher'; did you mean 'where'"),
        (CLAIM + SMALL + 'varry = 1\n' + PAPER + ROW, "small has no 'varry'; did you mean 'vary'"),
        (CLAIM + SMALL + 'runs = "x"\n' + PAPER + ROW, "small should have arms .* one of these, got"),
        (CLAIM + '[small]\nwords = "d"\n' + PAPER + ROW, "small should have arms .* one of these, got"),
        (CLAIM + SMALL + 'minutes = "two"\n' + PAPER + ROW, "small.minutes should be a number, got 'two'"),
        (CLAIM + SMALL + "tune_seeds = [0.5]\n" + PAPER + ROW, "small.tune_seeds should be a whole number, got 0.5"),
        (CLAIM + SMALL + PAPER + ROW + 'wy = "x"\n', "check 1 has no 'wy'; did you mean 'why'"),
        (CLAIM + SMALL + PAPER + ROW.replace("higher", "up"), "direction should be higher, lower or same, got 'up'"),
        (CLAIM + SMALL + PAPER + ROW.replace("higher", "same"), "within should be > 0 where the direction is same"),
        (CLAIM + SMALL + PAPER + ROW + "within = 0.1\n", "within should be > 0 where the direction is same"),
        (CLAIM + SMALL + PAPER + ROW.replace('arm = "auxo"', "arm = true"), "arm should be an arm, a pair"),
        (CLAIM + SMALL + PAPER + ROW.replace('arm = "auxo"', 'arm = "axo"'), "no arm 'axo'; did you mean 'auxo'"),
        (CLAIM + SMALL + PAPER + ROW + 'sizes = ["paper"]\n', r"it/one, small should have a \[\[check\]\]"),
        (CLAIM + SMALL + 'set = { particpants = 3 }\n' + PAPER + ROW, "did you mean 'participants'"),
        (CLAIM + '[small]\nwords = "d"\nprobe = { name = "x" }\n' + PAPER + ROW, "there is no 'x'; known: "),
        ("claim", "is not TOML"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_one_line(tmp_path, text, words):
    assert re.search(words, refused(tmp_path, text))


def test_a_name_is_found_or_told_from_its_neighbours(tmp_path):
    assert find("auxo/table5").title == "auxo/table5"
    assert find(str(written(tmp_path, CLAIM + SMALL + PAPER + ROW))).title == "it/one"
    for name in ("auxo/tabel5", "table5", "../auxo/table5", "auxo/paper/femnist"):
        with pytest.raises(ConfigError, match=r"there is no reproduction .*; horae reproduce lists them"):
            find(name)
    with pytest.raises(ConfigError, match=r"there is no reproduction file .*nothing\.toml'; check the path"):
        find(str(tmp_path / "nothing.toml"))


def test_tables_come_before_figures_and_nine_before_ten():
    names = [one.name for one in every() if one.folder == "auxo"]
    assert names.index("table5") < names.index("figure9") < names.index("figure10") < names.index("figure13a")
