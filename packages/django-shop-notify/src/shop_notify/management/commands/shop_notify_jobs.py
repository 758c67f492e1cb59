from shop_core.jobs import JobsCommand

from shop_notify.jobs import SCHEDULE


class Command(JobsCommand):
    help = "Run the periodic jobs of shop_notify that are due. Call it every minute."
    schedule = SCHEDULE
