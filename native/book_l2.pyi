from native.book import Book

class L2Book(Book):
    @property
    def levels(self) -> int: ...
    @property
    def traded_lots(self) -> int: ...
