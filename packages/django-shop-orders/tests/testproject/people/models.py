"""User models of other sites. One of them is AUTH_USER_MODEL, named by TEST_USER_MODEL."""

import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class Manager(BaseUserManager):
    def create_user(self, login, password=None):
        user = self.model(**{self.model.USERNAME_FIELD: login})
        user.set_password(password)
        user.save()
        return user


class Base(AbstractBaseUser):
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    objects = Manager()

    class Meta:
        abstract = True

    def has_perm(self, perm, obj=None):
        return self.is_staff

    def has_module_perms(self, app_label):
        return self.is_staff


class MailUser(Base):
    """No username: people log in with their e-mail address."""

    mail = models.EmailField(unique=True)
    USERNAME_FIELD = EMAIL_FIELD = "mail"


class KeyUser(Base):
    """The primary key is a UUID."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.EmailField(unique=True)
    USERNAME_FIELD = EMAIL_FIELD = "email"


class PlainUser(Base):
    """Neither names nor an e-mail address."""

    nickname = models.CharField(max_length=50, primary_key=True)
    USERNAME_FIELD = "nickname"
