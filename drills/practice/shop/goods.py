"""What the shop sells."""

from decimal import Decimal

from drills.practice.shop.model import Product

PRODUCTS: dict[str, Product] = {
    product.sku: product
    for product in (
        Product("TEA-1", "Green tea, 100 g", Decimal("6.90"), "Tea", "Spring harvest, from the first flush."),
        Product("TEA-2", "Black tea, 250 g", Decimal("9.45"), "Tea", "Malty and strong; takes milk well."),
        Product("TEA-3", "Jasmine pearls, 50 g", Decimal("11.20"), "Tea", "Rolled by hand, scented five times."),
        Product("POT-1", "Clay teapot", Decimal("34.00"), "Pots", "Holds 300 ml. Unglazed, so keep it to one tea."),
        Product("POT-2", "Glass teapot", Decimal("27.50"), "Pots", "Holds 600 ml, with a strainer in its lid."),
        Product("CUP-1", "Two small cups", Decimal("12.99"), "Cups", "60 ml each, porcelain."),
        Product("CUP-2", "Travel mug", Decimal("18.75"), "Cups", "Keeps 350 ml hot for six hours."),
        Product("BOOK-1", "The book of tea", Decimal("8.00"), "Books", "A short classic, in a new print."),
        Product("BOX-1", "Tasting box", Decimal("59.90"), "Gifts", "Twelve teas of 20 g, with notes."),
        Product("GIFT-1", "Gift wrapping", Decimal("0.10"), "Gifts", "Brown paper and a red ribbon."),
    )
}
