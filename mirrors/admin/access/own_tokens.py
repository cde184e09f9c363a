"""The page on which users create and revoke their own API tokens."""

from __future__ import annotations

import secrets
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role, role_of
from mirrors.accounts.tokens import (
    DEFAULT_DAYS,
    MOST_DAYS,
    TokenRefusedError,
    create_own,
    own_token,
    own_tokens,
    revoke_own,
    roles_within,
)

REDIRECT = "admin:accounts_apitoken_own"
SENT_FORMS: Final = "sent_token_forms"
MOST_SENT_FORMS: Final = 20
"""The maximum number of forms that a session remembers as sent. A page that is reloaded is one of the last."""


def days_field() -> forms.IntegerField:
    """Return the form field for the number of days until a token expires."""
    return forms.IntegerField(
        label="Expires in (days)",
        required=False,
        initial=DEFAULT_DAYS,
        min_value=1,
        max_value=MOST_DAYS,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=f"1 to {MOST_DAYS} days.",
    )


class OwnTokenForm(forms.Form):
    """The form for a token of the user, with at most the role of the user."""

    name = forms.CharField(
        label="Description",
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text="What the token is used for, such as: ci.",
    )
    role = forms.TypedChoiceField(label="Role", coerce=lambda value: Role(int(value)), widget=UnfoldAdminSelectWidget())
    days = days_field()

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(*args)
        role: Any = self.fields["role"]
        role.choices = roles_within(request)
        role.help_text = f"At most your own role, {role_of(request.user).group}."

    def clean_days(self) -> int:
        return int(self.cleaned_data["days"] or DEFAULT_DAYS)


@never_cache
def own_tokens_view(request: HttpRequest) -> HttpResponse:
    """Show the list of tokens and the form that creates one. Only the response to the form shows the token. Reloading
    that page sends the form again, which does not create another token."""
    submitted_forms = request.session.get(SENT_FORMS, [])
    form_id = request.POST.get("form_id", "")
    if form_id and form_id in submitted_forms:
        messages.warning(
            request,
            "This form was already submitted, so no other token was created. If you did not copy the token, revoke it "
            "and create another one.",
        )
        return HttpResponseRedirect(reverse(REDIRECT))
    form = OwnTokenForm(request, request.POST) if request.method == "POST" else OwnTokenForm(request)
    created: ApiToken | None = None
    text = ""
    if form.is_bound and form.is_valid():
        try:
            created, text = create_own(request, **form.cleaned_data)
            request.session[SENT_FORMS] = [*submitted_forms, form_id][-MOST_SENT_FORMS:]
            form = OwnTokenForm(request)
        except TokenRefusedError as error:
            form.add_error(None, str(error))
    context = {
        **admin.site.each_context(request),
        "title": "My API tokens",
        "form": form,
        "created": created,
        "text": text,
        "tokens": own_tokens(request),
        "form_id": secrets.token_urlsafe(12),
    }
    return render(request, "admin/own_tokens.html", context)


def revoke_view(request: HttpRequest) -> HttpResponse:
    """Revoke one of the user's own tokens, after a confirmation page."""
    public_id = request.POST.get("token", "")
    token = own_token(request, public_id)
    if token is not None and "confirmed" not in request.POST:
        context = {**admin.site.each_context(request), "title": f"Revoke the token {token.name}?", "token": token}
        return render(request, "admin/revoke_token.html", context)
    row = revoke_own(request, public_id)
    if row is None:
        messages.warning(request, "You have no such token: it was already revoked.")
    else:
        messages.success(request, f"The token {row.name} is revoked.")
    return HttpResponseRedirect(reverse(REDIRECT))
