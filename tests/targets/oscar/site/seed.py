"""Fills a migrated shop: two books, four customers, one of the staff. Safe to run again."""

import os
from decimal import Decimal

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from oscar.apps.catalogue.categories import create_from_breadcrumbs  # noqa: E402
from oscar.core.loading import get_model  # noqa: E402

BOOKS = [
    ("BOOK-1", "The Night Watch", Decimal("9.99"), 100_000),
    ("BOOK-2", "Three Left on the Shelf", Decimal("24.50"), 3),
]
CUSTOMERS = ["buyer@example.com", "buyer2@example.com", "buyer3@example.com", "buyer4@example.com"]


def books() -> None:
    kind, _ = get_model("catalogue", "ProductClass").objects.get_or_create(
        name="Book", defaults={"requires_shipping": True, "track_stock": True}
    )
    warehouse, _ = get_model("partner", "Partner").objects.get_or_create(name="Warehouse")
    shelf = get_model("catalogue", "Category").objects.filter(name="Books").first() or create_from_breadcrumbs("Books")
    for code, title, price, stock in BOOKS:
        book, _ = get_model("catalogue", "Product").objects.get_or_create(
            upc=code, defaults={"title": title, "product_class": kind, "structure": "standalone"}
        )
        get_model("catalogue", "ProductCategory").objects.get_or_create(product=book, category=shelf)
        get_model("partner", "StockRecord").objects.update_or_create(
            partner=warehouse,
            partner_sku=code,
            defaults={
                "product": book,
                "price": price,
                "price_currency": "GBP",
                "num_in_stock": stock,
                "num_allocated": 0,
            },
        )


def people() -> None:
    user_model = get_user_model()
    for email in [*CUSTOMERS, "staff@example.com"]:
        staff = email.startswith("staff")
        user, _ = user_model.objects.get_or_create(username=email, defaults={"email": email, "first_name": "Robin"})
        user.is_active, user.is_staff, user.is_superuser = True, staff, staff
        user.set_password("Staff-pass-1" if staff else "Buyer-pass-1")
        user.save()


get_model("address", "Country").objects.update_or_create(
    iso_3166_1_a2="GB",
    defaults={
        "iso_3166_1_a3": "GBR",
        "name": "United Kingdom",
        "printable_name": "United Kingdom",
        "is_shipping_country": True,
    },
)
books()
people()
