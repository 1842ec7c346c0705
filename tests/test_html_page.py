"""Pages: what is filled in can do no harm, and the policy knows style and script."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256

from clampsweep.html_page import filled

TEMPLATE = (
    '<title>{{title}}</title><meta content="style-src {{style}}; script-src {{script}}">'
    "<style>p {}</style>{{about}}<script>let x = 1;</script><p id=data>{{data}}</p>"
)


def test_texts_stand_escaped_and_data_ends_no_script():
    hostile = "</script><img src=x onerror=alert(1)>{{title}}"
    text = filled(TEMPLATE, hostile, f"one\n\n{hostile}", {"a": [hostile]})
    assert text.count("<img") == 0
    assert text.count("</script>") == 1
    data = text.split("<p id=data>")[1].removesuffix("</p>")
    assert json.loads(data) == {"a": [hostile]}
    assert text.count("<p>") == 2


def test_the_policy_names_the_digest_of_style_and_script():
    text = filled(TEMPLATE, "t", "a", {})
    for content in ("p {}", "let x = 1;"):
        digest = b64encode(sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in text
