"""Pages read by the parser in Python: in lines, as resiliparse gives them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from resiliparse.extract.html2text import extract_plain_text

from bridge.mail import page

PAGES = [
    "<p>a</p><p>b</p>",
    "<div>a</div><div>b</div>",
    "a<br>b<br><br>c",
    "<h1>t</h1>x",
    "<p>a<p>b<div>c",
    "<p>a</p>b<p>c</p>",
    "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
    "<table><tr><th>H</th><td>\n x \n</td></tr></table>",
    "<pre> x\n  y</pre>",
    "<pre>a\n\n\n\nb</pre>",
    "<xmp>x<b>y</xmp>",
    "a  <b> b</b>  c",
    "a\nb\tc",
    "a\xa0\xa0b",
    "<p> </p><p>x</p><p>&nbsp;</p><p>y</p>",
    "<head><title>T</title></head><body>x",
    "<noscript>n</noscript>x",
    '<img alt="pic">x',
    "<picture><img alt=q></picture>",
    "<img>x",
    "<textarea>ta</textarea>x<input value=v><button>bt</button><select><option>o</option></select>",
    "<iframe>i</iframe>x",
    "<video>v</video><audio>a</audio><canvas>c</canvas><object>o</object><svg><text>s</text></svg>",
    "<script>s</script><style>s</style>x",
    "x<!-- c -->y",
    "<template>t</template>z",
    "<blockquote>q</blockquote>r",
    "<dl><dt>t</dt><dd>d</dd></dl>",
    "<section>s</section><article>a</article><footer>f</footer>",
    "<td>a<td>b",
    "",
    "<hr>x",
    "<blockquote type=cite>q</blockquote><div class='a gmail_quote'>g</div><p id=divRplyFwdMsg>f</p>x",
]
QUOTES = ("blockquote[type=cite]", ".gmail_quote", "#divRplyFwdMsg")


@pytest.mark.parametrize("pictures", [False, True])
@pytest.mark.parametrize("skipped", [(), QUOTES])
@pytest.mark.parametrize("markup", PAGES)
def test_both_readers_give_the_same(markup, skipped, pictures):
    how = {"preserve_formatting": True, "list_bullets": False, "alt_texts": pictures, "skip_elements": list(skipped)}
    assert page.extract_plain_text(markup, **how) == extract_plain_text(markup, **how)


def test_a_long_page_is_read_to_its_bound():
    assert len(page.extract_plain_text("x" * 10**6, alt_texts=False, skip_elements=())) == page.LONGEST


def test_without_resiliparse_pages_are_read_all_the_same():
    """A platform that has no wheel of it: nothing but its import is missing."""
    program = (
        "import sys; sys.modules['resiliparse'] = None; from bridge.mail import markup; print(markup.plain('<p>a<p>b'))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "a\n\nb\n"
