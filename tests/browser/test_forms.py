"""The form of a row on a phone."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.sites import Site
from tests.browser.visits import PHONE, Visitors


def test_save_is_the_first_button_of_a_form_on_a_phone_and_delete_the_last(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "admin", size=PHONE).open("/admin/auth/user/")
    page.locator("#result_list tbody a").filter(has_text="vera").first.click()
    buttons = page.locator("#submit-row :is(button, a)")
    expect(buttons.filter(has_text="Delete")).to_be_visible()

    by_position = sorted(buttons.all(), key=_top)

    assert by_position[0].inner_text() == "Save"
    assert by_position[-1].inner_text() == "Delete user"


def _top(button: Locator) -> float:
    box = button.bounding_box()
    assert box is not None
    return box["y"]
