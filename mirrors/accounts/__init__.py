"""Accounts: the roles of the admin and the API, tokens and sign-ins. Webhooks and watchers do not install this
application, because they serve no users."""
