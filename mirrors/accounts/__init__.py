"""Accounts: the roles of admin and API, tokens and sign-ins. Not there in the webhook, which knows no users."""
