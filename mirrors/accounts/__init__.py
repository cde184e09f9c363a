"""Who may do what in admin and API. Not there in the webhook, which knows no users."""
