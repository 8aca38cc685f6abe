#!/bin/bash
# graphattn report: one page with everything in it, as a browser shows it.
# shellcheck source=/dev/null disable=SC2154
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN
"$ga" generate rmat -n 1000 -m 6000 -q -o web.txt
"$ga" sample web.txt -r 0.2 -q -o jdm.txt --report jdm.tsv
"$ga" sample web.txt -r 0.2 --method node -q -o 'no<d>e & "more".txt'
expect 0 "$ga" report web.txt jdm.txt 'no<d>e & "more".txt' -q --report jdm.tsv --title 'A <b>web</b> & more' -o page.html
grep -qiE '(src|href|url\(|@import|<script|<link)' page.html && fail "the page fetches something"
grep -q '<b>web</b>' page.html && fail "words of the title are taken for marks"
grep -qF 'no<d>e' page.html && fail "words of a file's name are taken for marks"
expect 0 "$ga" report web.txt jdm.txt 'no<d>e & "more".txt' -q --report jdm.tsv --title 'A <b>web</b> & more' -@ 1
same out page.html "the page by one thread and several"

# what a browser makes of it
browser=
for name in chromium chromium-browser google-chrome; do
    if command -v $name >/dev/null; then
        browser=$name
        break
    fi
done
if [ -n "$browser" ]; then
    "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$PWD/profile" --virtual-time-budget=5000 \
        --dump-dom "file://$PWD/page.html" >dom.html 2>log || fail "the browser: $(tail -n 3 log)"
    python3 - <<'END' || fail "the page in a browser"
import html.parser

class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.count, self.heads, self.rows, self.inside, self.text = {}, [], [], [], ""

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        self.inside.append(tag)
        if tag == "table":
            self.rows.append([])
        elif tag == "tr":
            self.rows[-1].append([])
        self.text = ""

    def handle_data(self, text):
        self.text += text

    def handle_endtag(self, tag):
        if tag in ("h1", "h2"):
            self.heads.append(self.text)
        elif tag in ("td", "th"):
            self.rows[-1][-1].append(self.text.strip())

page = Page()
page.feed(open("dom.html", encoding="utf-8").read())
assert page.heads[0] == "A <b>web</b> & more", page.heads
assert page.heads[1:] == ["Distances from the original", "Pictures", "Statistics", "How it was made"], page.heads
distances, statistics, report = page.rows
assert [len(row) for row in distances] == [3] * len(distances), distances
assert distances[0] == ["distance", "jdm.txt", 'no<d>e & "more".txt'], distances[0]
assert distances[-1][0] == "mean place" and float(distances[-1][1]) < float(distances[-1][2]), distances[-1]
assert all(len(row) == 4 for row in statistics)
nodes = [row for row in statistics if row[0] == "nodes"]
assert nodes and nodes[0][1:] == ["1000", "200", "200"], nodes
edges = dict(line.rstrip("\n").split("\t")[:2] for line in open("jdm.tsv") if line[0] != "#")["edges"]
assert ["edges", edges] in report, report
assert page.count["svg"] == 1 and page.count["path"] + page.count.get("polyline", 0) >= 12, page.count
END
else
    echo "no browser here: the page was not shown"
fi

section usage
"$ga" generate rmat -n 100 -m 400 -q -o a.txt
expect 2 "$ga" report a.txt
expect 1 "$ga" report a.txt a.txt --report nothing.tsv -o left.html && says "nothing.tsv"
printf 'a\0b\tc\n' >binary.tsv
expect 1 "$ga" report a.txt a.txt --report binary.tsv -o left.html && says "binary.tsv: not a report"
[ -e left.html ] && fail "a page is left of a run that failed"
expect 0 "$ga" report a.txt a.txt -q -o plain.html
grep -q 'How it was made' plain.html && fail "a table of no report"
finish
