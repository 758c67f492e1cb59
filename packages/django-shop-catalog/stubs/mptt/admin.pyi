from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

class MPTTAdminForm(forms.ModelForm[Any]): ...

class MPTTModelAdmin(admin.ModelAdmin[Any]):
    def get_actions(self, request: HttpRequest, action_location: Any = ...) -> Any: ...

class DraggableMPTTAdmin(MPTTModelAdmin): ...
