import pytest
from report_pages import report_page_checker


@pytest.fixture(scope="module")
def check_page():
    with report_page_checker() as check:
        yield check
