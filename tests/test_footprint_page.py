"""The page of the footprint: forms that work as they stand, for hands, keyboards and readers alike."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from lxml import etree
from mocpy import MOC
from service import Service

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(scope="module")
def page(service: Service) -> etree._Element:
    """The page, which is well-formed XML."""
    answer = httpx.get(f"{service.url}/footprint", headers=BROWSER)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    return etree.fromstring(answer.content)


def submissions(page: etree._Element) -> Iterator[tuple[str, dict[str, str], str, str]]:
    """Method, fields, URL and name of what each button of each form sends, as it stands."""
    for form in page.iter("{*}form"):
        fields: dict[str, str] = {}
        for each in form.iter("{*}input", "{*}select", "{*}textarea"):
            if each.get("type") == "file":
                continue
            first = each.find("{*}option")
            value = each.text if first is None else first.get("value", first.text)
            fields[each.get("name")] = each.get("value") or (value or "").strip()
        for button in form.iter("{*}button"):
            chosen = {button.get("name"): button.get("value")} if button.get("name") else {}
            yield form.get("method"), fields | chosen, form.get("action"), button.text


def test_every_button_works(service: Service, page: etree._Element) -> None:
    """Each form is answered as it stands, in the format of the button, with fields and files left empty."""
    types = {"png": "image/png", "fits": "application/fits", "json": "application/json", "html": "text/html"}
    seen = []
    for method, fields, url, name in submissions(page):
        assert url.startswith(f"{service.url}/footprint/")
        if method == "get":
            answer = httpx.get(url, params=fields, headers=BROWSER, timeout=60)
        else:
            answer = httpx.post(url, data=fields, files={"MOC": ("", b"")}, headers=BROWSER, timeout=60)
        assert answer.status_code == 200, (name, answer.text)
        wanted = types.get(fields.get("RESPONSEFORMAT", "html"))
        assert wanted is None or answer.headers["content-type"].startswith(wanted), name
        seen.append(name)
    assert seen == ["Find tiles", "Show", "FITS", "JSON", "FITS", "ASCII", "JSON", "Area"]


def test_the_form_sends_a_moc_along(service: Service, page: etree._Element) -> None:
    """A chosen file is combined with ours."""
    fields = next(fields for _, fields, url, name in submissions(page) if name == "ASCII")
    url = f"{service.url}/footprint/moc"
    ours = MOC.from_string(httpx.post(url, data=fields, timeout=60).text)
    mine = MOC.from_string("3/560-575 4/2400-2450")
    sent: dict[str, Any] = {"MOC": ("mine.json", io.BytesIO(mine.to_string("json").encode()))}
    both = httpx.post(url, data=fields | {"OPERATION": "intersection"}, files=sent, timeout=60)
    assert MOC.from_string(both.text) == ours.intersection(mine)


def test_everybody_can_use_it(service: Service, page: etree._Element) -> None:
    """Each field has its label, each help its field; nothing comes from elsewhere, and a phone fits it."""
    labels = {label.get("for") for label in page.iter("{*}label")}
    fields = [
        each for each in page.iter("{*}input", "{*}select", "{*}textarea") if each.get("type") != "hidden"
    ]
    assert {each.get("id") for each in fields} == labels
    ids = [each.get("id") for each in page.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    assert {each.get("aria-describedby") for each in fields} - {None} <= set(ids)
    links = [value for each in page.iter() for name in ("src", "href", "action") if (value := each.get(name))]
    assert all(link.startswith((service.url, "#")) for link in links)
    (viewport,) = page.xpath("//*[local-name()='meta'][@name='viewport']/@content")
    assert "width=device-width" in viewport
    assert not list(page.iter("{*}script"))
    assert f"{service.url}/footprint" in service.get("/").text
