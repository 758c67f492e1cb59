"""Write the generated reference pages: ``python docs/write_reference.py``, in an environment with the example project.

After an intended change of the API, write tests/openapi.json first, from which the page of the API is made.
"""

import shop_reference


def main() -> None:
    shop_reference.set_up_django()
    for page in shop_reference.pages():
        page.write_text(shop_reference.fill(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
