from typing import Any

from django.contrib import admin
from django.http import HttpRequest

class MPTTModelAdmin(admin.ModelAdmin[Any]):
    def get_actions(self, request: HttpRequest, action_location: Any = ...) -> Any: ...

class DraggableMPTTAdmin(MPTTModelAdmin): ...
