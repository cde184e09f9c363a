"""Admin of users and their roles.

Only users with a role can sign in. Only superusers create and change superusers. The permissions of roles are fixed.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import ROLES, Role
from mirrors.admin.tools.base import PlainAdmin
from mirrors.admin.tools.lists.columns import boolean_column, time_column
from mirrors.admin.tools.row_fields import NOTHING

ROLE_DESCRIPTIONS: Final = {
    Role.VIEWER.group: "See everything that is mirrored and configured, try filters",
    Role.OPERATOR.group: (
        "Everything that a viewer can do, and: change jobs, mappings and backfills, test registries, resume hosts"
    ),
    Role.ADMIN.group: (
        "Everything that an operator can do, and: change filters, registries, users, tokens; see sign-ins and history"
    ),
}
"""What each role permits, by the name of its group."""

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, PlainAdmin[User]):  # type: ignore[type-arg]
    sortable_by = None  # few rows
    empty_message = "Add one for each person, with a role."
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "roles", "active", "last_login_column")
    list_filter = ("groups", "is_active", "is_superuser")
    filter_titles: ClassVar[dict[str, str]] = {"groups": "roles"}
    filter_horizontal = ()
    readonly_fields = ("last_login_column", "joined")
    add_fieldsets: Any = ((None, {"fields": ("username", "usable_password", "password1", "password2", "groups")}),)

    active = boolean_column("is_active")
    last_login_column = time_column("last_login", "last sign-in")
    joined = time_column("date_joined", "created")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        names = [group.name for group in user.groups.all()]
        return ", ".join(["superuser", *names] if user.is_superuser else names) or "none: cannot sign in"

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """List the tokens that stop working, and no rows of Django's own tables."""
        _, _, needed, protected = super().get_deleted_objects(objs, request)
        tokens = ApiToken.objects.filter(user__in=objs).order_by("user__username", "name")
        of_user = {user: [f"API token: {token.name}" for token in tokens if token.user_id == user.pk] for user in objs}
        deleted = [line for user, names in of_user.items() for line in (f"User: {user}", names) if line]
        counts = {"users": len(of_user), "API tokens": len(tokens)}
        return deleted, {name: number for name, number in counts.items() if number}, needed, protected

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        access = ["is_active", "groups"] + (["is_superuser"] if _is_superuser(request) else [])
        return (
            (None, {"fields": ("username", "password", "first_name", "last_name", "email")}),
            ("Access", {"fields": access}),
            ("Dates", {"fields": ("last_login_column", "joined")}),
        )

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[arg-type]
        if db_field.name == "groups" and field is not None:
            field.label = "Roles"
            field.queryset = Group.objects.filter(name__in=[role.group for role in ROLES])
            field.help_text = (
                "Viewers can read, operators can also change jobs and mappings, admins can also configure."
            )
        return field

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _may_edit(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _may_edit(request, obj) and super().has_delete_permission(request, obj)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _may_edit(request: HttpRequest, user: User | None) -> bool:
    return user is None or not user.is_superuser or _is_superuser(request)


@admin.register(Group)
class GroupAdmin(PlainAdmin[Group]):
    """Admin of roles. They are built in: each migration writes their permissions."""

    row_names = ("role", "roles")
    empty_message = "Appear with the first migration."
    list_display = ("name", "permitted", "users")
    fields = readonly_fields = list_display
    search_fields = ("name",)
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(count=Count("user"))

    @admin.display(description="permissions")
    def permitted(self, group: Group) -> str:
        return ROLE_DESCRIPTIONS.get(group.name, NOTHING)

    @admin.display(description="users")
    def users(self, group: Any) -> SafeString:
        link = f"{reverse('admin:auth_user_changelist')}?groups__id__exact={group.pk}"
        return format_html('<a href="{}">{}</a>', link, group.count)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return False
