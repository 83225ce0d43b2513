"""Mail templates in a folder of the administrator's: what they may do, and that nothing wrong with one loses a mail."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from noc_alerter import cli
from noc_alerter.notify.mail import Mailer
from noc_alerter.notify.samples import samples
from noc_alerter.notify.templating import BUILT_IN, LETTERS, MAX_BYTES, Templates, names, source
from noc_launcher import doctor
from tests.alerter.conftest import FROM, OPS, T0, letter, parse, part
from tests.alerter.test_mail import HOSTILE, incident, member

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENT = (REPOSITORY / "docs" / "mail-templates.md").read_text(encoding="utf-8")
SAMPLES = samples()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mails"
    made.mkdir(mode=0o755)
    return made


def put(folder: Path, **files: str) -> Templates:
    """`opened_html="…"` is opened.html."""
    for name, text in files.items():
        stem, _, kind = name.rpartition("_")
        (folder / f"{stem}.{kind}").write_text(text, encoding="utf-8")
    return Templates(folder, None, SAMPLES)


def mail(templates: Templates, kind: str = "html", **fields: Any) -> str:
    mailer = Mailer(FROM, "https://noc.test", templates=templates)
    return part(parse(mailer.write(letter(incident(**fields), OPS), T0)), kind)


def test_a_folder_replaces_what_it_has_and_the_rest_is_as_it_comes(folder: Path) -> None:
    templates = put(folder, opened_txt="Ring {{ name }}, {{ address }}: {{ cause }} ({{ severity }})\n")
    assert templates.faults == []
    assert mail(templates, "plain").strip() == "Ring Router, 192.0.2.1: no answer (major)"
    assert mail(templates) == mail(BUILT_IN)


def test_a_part_of_ones_own_is_taken_by_all_that_include_it(folder: Path) -> None:
    layout = source("layout.html").replace("Open in NOC", "Open it")
    templates = put(folder, layout_html=layout + "{% include 'footer.html' %}", footer_html="ACME Networks")
    assert templates.faults == []
    for name in LETTERS:
        text, html = templates.rendered(name, SAMPLES[name][-1])
        assert text == BUILT_IN.rendered(name, SAMPLES[name][-1])[0]
        assert "ACME Networks" in html


def test_what_is_shown_in_html_is_escaped_as_in_our_own(folder: Path) -> None:
    templates = put(folder, opened_html="<p>{{ name }}</p>")
    html = mail(templates, members=[member(name=HOSTILE)])
    assert templates.faults == []
    assert "<img" not in html
    assert "{{7*7}}" in html


BROKEN = [
    ({"opened_html": "<p>\n{{ nmae }}"}, "opened.html, line 2: this letter has no 'nmae'; did you mean name?"),
    ({"opened_html": "{% if critical %}<b>"}, "opened.html, line 1: Unexpected end of template."),
    ({"opened_html": "{% include 'gone.html' %}"}, "gone.html: there is no template gone.html"),
    ({"opened_html": "{% include '../../etc/passwd' %}"}, "../../etc/passwd: there is no template ../../etc/passwd"),
    ({"opened_html": "{% include name %}"}, "opened.html: include, import and extends take the name of a file in quotes"),
    ({"opened_html": "{{ name | safe }}"}, "opened.html, line 1: No filter named 'safe'."),
    ({"opened_html": "{% autoescape false %}{{ name }}{% endautoescape %}"}, "line 1: autoescape cannot be switched"),
    ({"opened_html": "\n{{ name.__class__.__mro__ }}"}, "opened.html, line 2: access to attribute '__class__' of 'str' object is unsafe"),
    ({"opened_html": "{{ cycler.__init__.__globals__ }}"}, "access to attribute '__init__' of 'type' object is unsafe"),
    ({"opened_html": "{{ evidence.append(1) }}"}, "access to attribute 'append' of 'list' object is unsafe"),
    ({"opened_html": "{{ 1 // unshown }}"}, "opened.html, line 1: "),
    ({"opened_html": "{% for one in range(90000) %}{{ name }}{% endfor %}"}, "opened.html: with it the letter is longer than 100 kB"),
    ({"opened_html": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"}, "opened.html, line 1: maximum recursion depth exceeded"),
    ({"opened_txt": "  \n"}, "opened.txt: it gives no text at all"),
    ({"opend_html": "{{ name }}"}, "opend.html is no letter's, and no letter includes it; did you mean opened.html?"),
    ({"members_html": "{{ mebers }}"}, "members.html, line 1: this letter has no 'mebers'; did you mean members?"),
]  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize(("files", "sentence"), BROKEN, ids=[sentence for _, sentence in BROKEN])
def test_a_broken_template_is_told_in_a_sentence_and_the_mail_is_sent_as_it_comes(
    folder: Path, files: dict[str, str], sentence: str
) -> None:
    templates = put(folder, **files)
    assert sentence in templates.faults[0]
    assert mail(templates) == mail(BUILT_IN)
    assert mail(templates, "plain") == mail(BUILT_IN, "plain")
    found = doctor.templates(folder.parent / "data", {"NOC_MAIL_TEMPLATES": str(folder)})
    assert (found.level, sentence in found.text) == ("fail", True)


def test_a_template_that_fails_with_one_incident_only_loses_nothing_and_is_told_once(folder: Path) -> None:
    (folder / "opened.txt").write_text("{{ 1 // (address | length - 10) }}: {{ name }}")
    told: list[str] = []
    templates = Templates(folder, None, SAMPLES, told.append)
    assert templates.faults == []
    given = mail(BUILT_IN, "plain", members=[member(address="192.0.2.10")])
    for _ in range(2):
        assert mail(templates, "plain", members=[member(address="192.0.2.10")]) == given
    assert told == templates.faults == ["opened.txt, line 1: integer division or modulo by zero"]
    assert mail(templates, "plain", members=[member(address="192.0.2.111")]).strip() == "1: Router"


def test_a_file_that_is_mended_or_broken_counts_without_a_restart(folder: Path) -> None:
    templates = put(folder, opened_txt="{{ oops }}")
    (folder / "opened.txt").write_text("mended: {{ name }}")
    templates.look()
    assert templates.faults == []
    assert mail(templates, "plain").strip() == "mended: Router"
    (folder / "opened.txt").write_bytes(b"\xff\xfe")
    # Nobody has looked yet, and the mail goes out all the same.
    assert mail(templates, "plain") == mail(BUILT_IN, "plain")
    templates.look()
    assert templates.faults == ["opened.txt: it is not UTF-8"]


def test_a_folder_that_requests_or_everybody_may_write_is_not_used(folder: Path) -> None:
    (folder / "opened.txt").write_text("mine")
    data = folder.parent
    assert "lies in the data folder, which requests write into" in Templates(folder, data, SAMPLES).faults[0]
    folder.chmod(0o777)
    templates = Templates(folder, data / "data", SAMPLES)
    assert "everybody on this machine may write into" in templates.faults[0]
    assert mail(templates, "plain") == mail(BUILT_IN, "plain")
    folder.chmod(0o755)
    templates.look()
    assert mail(templates, "plain").strip() == "mine"
    gone = Templates(folder / "gone", data / "data", SAMPLES)
    assert "cannot be read (No such file or directory)" in gone.faults[0]
    assert mail(gone) == mail(BUILT_IN)


def test_the_document_has_every_letter_and_every_word_of_it_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([a-z_, ]+) \| (\w+)(.*) \|$", DOCUMENT, re.MULTILINE)
    written = {(word, one): kind for word, letters, kind, _ in rows for one in letters.split(", ") if one in LETTERS}
    kinds = {"text": str, "list": list, "number": int, "true": bool}
    given = {(word, name): type(value) for name in LETTERS for words in SAMPLES[name] for word, value in words.items()}
    assert {key: kinds[kind] for key, kind in written.items()} == given
    assert [one for one in names() if one.partition(".")[0] not in LETTERS] == [
        "comments.html",
        "comments.txt",
        "evidence.txt",
        "layout.html",
        "lines.html",
        "lines.txt",
        "members.html",
        "members.txt",
    ]
    assert set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", DOCUMENT, re.MULTILINE)) == set(LETTERS)


def test_what_comes_with_noc_passes_its_own_check_and_is_where_people_start_from(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([]) == 0
    for name in capsys.readouterr().out.split():
        assert cli.main([name]) == 0
        (folder / name).write_text(capsys.readouterr().out, encoding="utf-8")
    templates = Templates(folder, None, SAMPLES)
    assert templates.faults == []
    for name in LETTERS:
        for words in SAMPLES[name]:
            text, html = templates.rendered(name, words)
            assert (text, html) == BUILT_IN.rendered(name, words)
            assert len(text + html) < MAX_BYTES / 4
    found = doctor.templates(folder.parent / "data", {"NOC_MAIL_TEMPLATES": str(folder)})
    assert (found.level, found.text) == ("ok", f"{folder} replaces {', '.join(names())}")


@pytest.mark.thorough
def test_a_sample_is_printed_by_the_templates_of_the_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(folder, resolved_txt="{{ over }}: {{ name }}")
    environment = {"NOC_MAIL_TEMPLATES": str(folder), "NOC_MAIL_ZONE": "Europe/Paris"}
    assert cli.main(["resolved.txt", "--sample"], environment) == 0
    assert capsys.readouterr().out == "UP: core-sw-1 and 199 more"
    assert cli.main(["opened.txt", "--sample"], environment) == 0
    assert "2026-11-24 02:13:05 CET (01:13:05 UTC)" in capsys.readouterr().out
    assert cli.main(["layout.html", "--sample"], environment) == 1
    assert capsys.readouterr().err == "noc: there is no template 'layout.html'; `noc templates` lists them\n"
    put(folder, resolved_txt="{{ ovr }}")
    assert cli.main(["resolved.txt", "--sample"], environment) == 1
    assert "did you mean over?" in capsys.readouterr().err


def test_an_incident_of_an_older_version_fills_every_letter(folder: Path) -> None:
    """Without a severity, members or counts."""
    old = replace(incident(), severity=None, members=[], total_members=0, open_members=None)
    assert "Router" not in mail(BUILT_IN, members=old.members, total_members=0)
    assert "router" in mail(BUILT_IN, members=old.members, total_members=0)


def test_a_mail_of_what_late_data_showed_counts_the_sites_that_it_does_not_name() -> None:
    words = {**SAMPLES["found_late"][-1], "sites": [f"site-{number}" for number in range(23)]}
    for said in BUILT_IN.rendered("found_late", words):
        assert "site-19 and 3 more," in said


def test_no_line_of_html_ends_within_a_duration_whose_template_it_is(folder: Path) -> None:
    own = put(folder, resolved_html="{{ name }}: {{ duration }}, {{ ['1 d 4 h', '3 s'] | join(' and ') }}, {{ back }}")
    words = {**SAMPLES["resolved"][0], "duration": "1 h 2 min", "name": "a<b 5 dishes", "back": 3}
    assert BUILT_IN.rendered("resolved", words)[1].count("1\u00a0h\u00a02\u00a0min") == 1
    text, html = own.rendered("resolved", words)
    assert "1 h 2 min" in text
    assert html == "a&lt;b 5 dishes: 1\u00a0h\u00a02\u00a0min, 1\u00a0d\u00a04\u00a0h and 3\u00a0s, 3"


@pytest.mark.parametrize("name", ["opened", "changed", "resolved"])
def test_text_and_html_of_a_mail_say_of_what_its_evidence_is(name: str) -> None:
    for said in BUILT_IN.rendered(name, SAMPLES[name][0]):
        assert "What each site saw" in said
