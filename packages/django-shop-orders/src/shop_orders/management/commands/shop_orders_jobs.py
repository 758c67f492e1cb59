from shop_core.jobs import JobsCommand

from shop_orders.jobs import SCHEDULE


class Command(JobsCommand):
    help = "Run the periodic jobs of shop_orders that are due. Call it every minute."
    schedule = SCHEDULE
