"""The security checklist, item by item: which tests hold each, and what the code may not have in it at all.

The letters are those of what is attacked: H HTTP, S Socket.IO, M MQTT, E mail, D storage, C container and host,
P supply chain, I ICMP.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tests.parts.figures import Figures

REPOSITORY: Final = Path(__file__).parents[2]

HELD: Final = {
    "H-1 no account that everybody knows": "web/test_accounts.py test_the_first_secret_is_left_in_a_file_for_its_owner_and_works_once",
    "H-2 passwords that are hard to guess": "web/test_accounts.py test_a_password_that_is_easy_to_guess_is_refused_and_never_repeated test_a_password_is_kept_as_a_slow_hash_only",
    "H-3 guessing is slowed down": "web/test_accounts.py test_after_five_failures_in_15_minutes_a_name_has_to_wait_until_the_first_is_over",
    "H-4 every route and role": "web/test_guard.py test_a_route_is_open_to_exactly_those_in_the_table test_the_table_has_every_route_and_no_other",
    "H-5 sessions end": "web/test_accounts.py test_a_session_that_has_ended_is_refused_when_its_cookie_is_played_again test_a_session_ends_after_12_idle_hours_and_after_7_days_in_any_case test_every_log_in_is_a_session_of_its_own",
    "H-6 cookies": "web/test_http.py test_the_cookie_is_out_of_reach_for_scripts_and_other_sites test_behind_https_the_cookie_is_for_https_only_and_browsers_are_told_to_stay_there",
    "H-7 paths": "web/test_http.py test_no_path_leads_out_of_the_folder_of_static_files test_no_variable_of_a_path_names_a_file",
    "H-8 hostile text": "browser/test_browser.py test_hostile_text_is_shown_as_text_everywhere",
    "H-8 hostile text in mails": "alerter/test_mail.py test_hostile_names_are_text_in_the_html_and_nothing_else",
    "H-8 policies of the browser": "web/test_http.py test_every_kind_of_answer_forbids_foreign_scripts_frames_and_guessing_of_types",
    "H-9 addresses as typed": "web/test_addresses.py test_what_is_no_address_is_refused_with_the_reason test_any_text_gives_a_short_printable_address_or_a_reason",
    "H-9 addresses as resolved": "prober/test_addresses.py test_what_the_name_server_says_is_checked_too",
    "H-9 addresses that are no targets": "prober/test_address_commands.py test_a_name_server_s_word_for_a_special_address_is_checked_like_a_person_s",
    "H-10 no shell in the way of a ping": "documents/test_security.py test_what_the_code_may_not_have_it_has_not",
    "H-11 whole matches only": "web/test_http.py test_what_cannot_be_a_name_changes_nothing_anywhere",
    "H-12 headers of proxies": "web/test_http.py test_proxies_headers_are_not_believed",
    "H-12 headers of trusted proxies": "web/test_accounts.py test_what_a_header_says_counts_only_where_a_trusted_proxy_has_said_it",
    "H-13 changes need the page's own token": "web/test_guard.py test_a_change_without_the_page_s_own_token_is_refused test_reading_never_changes_anything",
    "H-14 bodies": "web/test_http.py test_a_body_of_more_than_a_megabyte_is_refused_before_it_is_read test_a_hostile_body_is_refused_as_a_problem_and_changes_nothing",
    "H-15 errors": "web/test_http.py test_an_error_nobody_thought_of_has_a_name_in_the_log_and_no_details_outside",
    "H-16 audit": "web/test_accounts.py test_the_audit_says_from_where_and_how_it_was_before_and_after",
    "H-16 log lines": "frame/test_log.py test_a_line_is_one_json_object_with_its_values_beside_the_sentence",
    "S-1 origins": "web/test_socket.py test_a_page_of_another_site_is_refused_even_with_the_cookie test_whoever_says_no_origin_is_no_page",
    "S-2 every event and role": "web/test_socket.py test_every_event_is_answered_to_exactly_those_in_the_table test_every_event_that_is_answered_is_known",
    "S-3 sessions end live": "web/test_socket.py test_the_live_connections_of_an_ended_session_are_cut_within_two_seconds",
    "S-4 rates and sizes": "web/test_socket.py test_a_page_that_floods_is_cut_and_the_others_go_on test_a_page_that_sends_more_than_64_kb_at_once_is_cut",
    "S-5 no token in an address": "web/test_accounts.py test_only_a_valid_bearer_token_is_somebody_even_beside_a_valid_cookie",
    "S-6 no pickle": "documents/test_security.py test_what_the_code_may_not_have_it_has_not",
    "M-1 nobody without a name": "packaging/test_mosquitto_conf.py test_without_a_name_nobody_gets_anything test_with_a_wrong_password_or_an_unknown_name_nobody_gets_in",
    "M-2 one user a site": "web/test_catalog.py test_a_site_needs_a_name_of_its_own_that_fits_into_a_topic",
    "M-2 certificates of sites": "launcher/test_site_certificates.py test_a_token_without_one_gets_no_further_than_the_handshake test_a_certificate_alone_opens_nothing_and_rotating_ends_the_token_it_was_in test_no_site_can_pass_for_the_listener",
    "M-3 every topic and user": "launcher/test_topic_doors.py test_what_a_user_may_not_write_reaches_nobody test_a_last_will_reaches_nobody_where_its_user_may_not_write test_a_user_hears_what_it_may_read_and_nothing_else_whatever_it_asks_for",
    "M-4 the topic's site counts": "recorder/test_recorder.py test_a_replay_whose_records_are_not_its_own_is_dropped_as_a_whole",
    "M-4 the broker's certificate": "launcher/test_joining.py test_a_token_of_another_noc_is_known_by_its_authority",
    "M-5 revoked keys": "scenarios/test_second_site.py test_a_site_in_one_line_is_worth_its_own_results_and_nothing_more",
    "M-6 client ids": "launcher/test_brokers.py test_nobody_else_can_disturb_a_service_by_its_client_id",
    "M-7 limits of the broker": "launcher/test_brokers.py test_what_mosquitto_keeps_for_a_subscriber_who_left_is_bounded",
    "M-7 sizes": "packaging/test_mosquitto_conf.py test_who_sends_an_enormous_message_is_cut_off_and_others_are_not",
    "M-9 hostile messages": "scenarios/test_hostile.py test_hostile_messages_and_requests_end_nobody_and_what_is_valid_goes_on",
    "M-9 the decoder": "bus/test_codec.py test_random_bytes_raise_nothing_but_bad_message",
    "E-1 headers": "alerter/test_mail.py test_a_name_becomes_no_second_header",
    "E-2 recipients": "alerter/test_smtp.py test_only_one_plain_address_is_an_address",
    "E-3 encryption": "alerter/test_smtp.py test_a_server_without_starttls_is_never_spoken_to_in_the_clear",
    "E-3 certificates": "alerter/test_smtp_tls.py test_a_server_whose_certificate_names_another_gets_nothing_and_the_error_names_the_cure",
    "E-4 caps": "alerter/test_outbox.py test_a_recipient_who_had_enough_mails_in_an_hour_gets_the_rest_later",
    "E-5 templates": "alerter/test_templates.py test_a_folder_that_requests_or_everybody_may_write_is_not_used test_what_is_shown_in_html_is_escaped_as_in_our_own",
    "E-6 test mails": "web/test_mail.py test_test_mails_are_so_many_in_ten_minutes",
    "E-7 marked as a machine's": "alerter/test_mail.py test_a_mail_is_text_and_html_with_the_headers_a_machines_mail_needs",
    "D-1 names in the store": "history/test_every_store.py test_odd_names_are_told_apart",
    "D-2 SQL by parameters": "style/test_style.py test_the_code_is_as_ruff_wants_it",
    "D-3 what is no target": "scenarios/test_strangers.py test_tens_of_thousands_of_ids_that_are_no_targets_cost_nobody_memory",
    "D-4 who may only read": "history/test_influxdb.py test_who_may_only_read_sees_all_of_it_and_changes_nothing test_the_right_to_read_and_write_one_bucket_is_all_that_the_recorder_needs",
    "D-4 who has which in Compose": "packaging/test_compose.py test_only_the_recorder_may_write_the_history",
    "D-5 files of their owner": "frame/test_sqlite.py test_a_new_file_is_its_owner_s_alone_and_so_are_the_files_beside_it",
    "D-5 folders of their owner": "frame/test_settings.py test_a_data_folder_is_made_for_its_owner_only",
    "D-6 ages": "history/test_housekeeping.py test_each_tier_is_kept_as_long_as_it_is_set_to_be",
    "D-6 the size on disk": "history/test_room.py test_where_the_file_would_be_too_large_the_oldest_raw_cycles_go_before_their_time_and_sums_say_the_same",
    "D-6 the time of a question": "frame/test_sqlite.py test_what_takes_too_long_to_read_is_given_up_in_a_sentence_and_nothing_else_is",
    "D-6 the time of a request": "web/test_process.py test_a_question_that_keeps_the_history_busy_for_ten_seconds_is_ended_with_a_sentence",
    "C-1 rights of a container": "packaging/test_compose.py test_every_container_has_no_more_rights_than_it_needs",
    "C-2 rights of a unit": "packaging/test_site_units.py test_systemd_finds_no_fault_with_the_unit_and_little_that_it_may test_the_token_is_for_root_alone_and_not_in_the_unit",
    "C-3 what is published": "packaging/test_compose.py test_only_what_people_look_at_is_published_and_that_on_this_machine_only test_broker_and_database_have_no_way_out_and_each_other_way_out_has_one_user",
    "C-4 keys of their owner": "launcher/test_secret_files.py test_a_folder_that_other_users_may_look_into_gets_no_secret",
    "C-5 no server for developers": "documents/test_security.py test_what_the_code_may_not_have_it_has_not",
    "C-6 versions": "launcher/test_sbom.py test_the_lock_has_nothing_older_than_what_closed_a_known_hole",
    "C-7 health says nothing": "web/test_answers.py test_health_says_nothing_to_strangers_but_that_it_is_there",
    "P-1 hashes": "launcher/test_lock.py test_every_package_has_hashes",
    "P-1 hashes of images": "packaging/test_dockerfiles.py test_everything_fetched_is_compared_with_its_hash_and_nothing_is_fetched_after",
    "P-2 floors": "launcher/test_sbom.py test_the_lock_has_nothing_older_than_what_closed_a_known_hole",
    "P-3 nothing from elsewhere": "documents/test_security.py test_what_the_code_may_not_have_it_has_not",
    "P-4 icmplib behind our own": "documents/test_security.py test_icmplib_is_seen_by_four_files_of_the_prober_only",
    "I-1 which replies count": "prober/test_matching.py test_only_the_right_reply_counts test_a_second_copy_is_a_duplicate test_cookies_differ_with_everything_that_names_a_request",
    "I-2 errors decide nothing": "prober/test_matching.py test_an_icmp_error_is_told_and_decides_nothing",
    "I-3 replies of others": "prober/test_evidence.py test_replies_from_another_address_are_no_answer_and_name_it test_altered_replies_are_no_answer_and_told",
    "I-4 payloads": "prober/test_matching.py test_a_packet_cut_short_is_damaged_or_nothing_and_no_crash",
}  # fmt: skip
"""What is promised, and below tests/ the file and the tests that hold it."""

OPEN: Final = {
    "M-8": "what sites are told is signed by nobody but the broker's own TLS; left out",
    "S-7": "every reader may see every site; left out",
    "P-5": "of the place where this is hosted; left out",
}
"""What no test holds, and why."""

ITEMS: Final = {
    f"{letter}-{number}"
    for letter, last in (("H", 16), ("S", 7), ("M", 9), ("E", 7), ("D", 6), ("C", 7), ("P", 5), ("I", 4))
    for number in range(1, last + 1)
}


def test_each_item_is_held_by_a_test_or_said_to_be_open(figure: Figures) -> None:
    held = [item.partition(" ")[0] for item in HELD]
    assert ({*held, *OPEN}, {*held} & {*OPEN}) == (ITEMS, set())
    for item, where in HELD.items():
        path, *names = where.split()
        figure.at_least(f"{item}: {path.removesuffix('.py')}", len(names), 1)
    for item, why in OPEN.items():
        figure.at_least(f"{item} open: {why}", 0, 0)


@pytest.mark.parametrize("item", HELD)
def test_the_tests_that_hold_an_item_exist(item: str) -> None:
    path, *names = HELD[item].split()
    tree = ast.parse((REPOSITORY / "tests" / path).read_bytes())
    assert {*names} <= {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}


def sources(*folders: str, ending: str = "*.py") -> dict[str, str]:
    return {
        str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8")
        for folder in folders
        for path in (REPOSITORY / folder).rglob(ending)
        if "vendor" not in path.parts
    }


CODE: Final = ("bus", "frame", "rules", "history", "services", "launcher")


@pytest.mark.parametrize(
    ("found", "folders", "ending", "but"),
    [
        # The unit is installed by a person at a terminal, and nothing that is pinged gets there.
        (r"subprocess|os\.(system|popen|exec)|pty\.", ("services/prober",), "*.py", {"services/prober/noc_prober/unit.py"}),
        (r"\bpickle\b|\bmarshal\b|\bshelve\b|yaml\.load\(", CODE, "*.py", set()),
        (r"allow_unsafe_werkzeug|debug=True|app\.run\(|(?<!literal_)\beval\(|(?<![.\w])exec\(", CODE, "*.py", set()),
        (r"(src|href)=.?https?://[^/]*/[^\"' ]*\.(js|css)|from \"https?://", ("services/web",), "*.html", set()),
        (r"from \"https?://|import\(\"https?://", ("services/web/noc_web/static/js",), "*.js", set()),
    ],
    ids=["no shell in the prober", "no pickle", "no server for developers", "no foreign files in pages", "no foreign scripts"],
)  # fmt: skip
def test_what_the_code_may_not_have_it_has_not(
    found: str, folders: tuple[str, ...], ending: str, but: set[str]
) -> None:
    texts = sources(*folders, ending=ending)
    assert texts
    assert {path for path, text in texts.items() if re.search(found, text)} == but


def test_icmplib_is_seen_by_four_files_of_the_prober_only() -> None:
    seen = {path for path, text in sources(*CODE).items() if re.search(r"^(from|import) icmplib", text, re.MULTILINE)}
    assert seen == {f"services/prober/noc_prober/{name}.py" for name in ("packets", "ping", "sockets", "trace")}
