#!/bin/bash
# Formats that igraph reads and writes: there and back, files as other programs write them, files that are none.
# shellcheck source=/dev/null disable=SC2015
. "$(dirname "$0")/lib.sh"
ga=$GRAPHATTN
# shellcheck disable=SC2054
faithful=(--weights --loops=keep --multi=keep)

if "$ga" --version | grep -q 'igraph: no'; then
    section without
    # what is missing is named, for files that are read and for files that are written
    printf '0 1\n' >two.txt
    printf '<?xml version="1.0"?>\n<graphml/>\n' >two.graphml
    printf 'graph [ directed 1 node [ id 0 ] ]\n' >two.gml
    expect 1 "$ga" convert two.graphml && says "two.graphml: graphml needs libgraphattn-igraph"
    expect 1 "$ga" convert two.gml && says "two.gml: gml needs libgraphattn-igraph"
    for format in graphml gml pajek ncol lgl leda; do
        expect 1 "$ga" convert two.txt --to "$format" -o out.file && says "$format needs libgraphattn-igraph"
        expect 1 "$ga" convert two.txt --from "$format" && says "$format needs libgraphattn-igraph"
    done
    expect 1 "$ga" convert two.txt -o new.graphml && says "graphml needs libgraphattn-igraph"
    only two.txt two.graphml two.gml
    finish
fi

# whole FORMAT FILE [OPTION]...: the graph in graph.txt, there and back, is the same, ids and repetitions included
whole()
{
    local format=$1 file=$2
    shift 2
    expect 0 "$ga" convert graph.txt -q --loops=keep --multi=keep "$@" --to "$format" -o "$file"
    expect 0 "$ga" convert "$file" -q --loops=keep --multi=keep "$@" -o back.txt
    same graph.txt back.txt "a graph by way of $file"
}

section there-and-back
cat >graph.txt <<'END'
# Nodes: 5 Edges: 7
3	3	1
3	3	2.5
3	9	0.1
9	3	-3e-30
9	4294967296	16777216
9007199254740993	9	3.4e+38
18446744073709551615	3	0
END
for pair in graphml:a.graphml gml:a.gml pajek:a.net pajek:a.paj ncol:a.ncol lgl:a.lgl graphml:a.graphml.gz; do
    whole "${pair%%:*}" "${pair#*:}" --weights
done
gzip -t a.graphml.gz || fail "a.graphml.gz is not compressed"
# by content alone
for file in a.graphml a.gml a.net a.graphml.gz; do
    cp "$file" unnamed
    expect 0 "$ga" convert unnamed -q "${faithful[@]}" -o back.txt
    same graph.txt back.txt "$file without its suffix"
    "$ga" convert -q "${faithful[@]}" - <"$file" >back.txt 2>err || fail "$file from standard input"
    same graph.txt back.txt "$file from standard input"
done
printf '\357\273\277' | cat - a.graphml >unnamed
expect 0 "$ga" convert unnamed -q "${faithful[@]}" -o back.txt
same graph.txt back.txt "a GraphML file with a byte order mark"
printf 'graph\t\r\n[ directed 1 node [ id 4 ] ]' >unnamed
expect 0 "$ga" convert unnamed -q && grep -qx '# Nodes: 1 Edges: 0' out || fail "a GML file with other blanks"
# the same file every time, as a name that is staged, and on a comma's locale
expect 0 "$ga" convert graph.txt -q "${faithful[@]}" -o again.gml
same a.gml again.gml "two files of one graph"
for locale in $(locale -a 2>/dev/null | grep -iE '^(de_DE|fr_FR|de_AT)\.?(utf-?8)?$' | head -n 1); do
    LC_ALL=$locale "$ga" convert graph.txt -q "${faithful[@]}" -o again.gml || fail "writing in $locale"
    same a.gml again.gml "a file written in $locale"
done

section isolated
# nodes without edges stay where the format has room for them; ids 0 to n-1 are those of the file
expect 0 "$ga" generate er -n 50 -m 40 -q -o graph.txt
for pair in graphml:a.graphml gml:a.gml pajek:a.net lgl:a.lgl; do
    whole "${pair%%:*}" "${pair#*:}"
done
expect 0 "$ga" convert graph.txt -o a.ncol && says "nodes without an edge are left out"
expect 0 "$ga" convert a.ncol -q -o back.txt
grep -v '^#' graph.txt >edges
grep -v '^#' back.txt | cmp -s - edges || fail "the edges of an .ncol file"
printf '' >empty.txt
expect 0 "$ga" convert empty.txt -q -o empty.graphml
expect 0 "$ga" convert empty.graphml -q -o back.txt
[ "$(cat back.txt)" = "# Nodes: 0 Edges: 0" ] || fail "a graph of nothing: $(cat back.txt)"

section commands
# every command reads and writes them, policies included
expect 0 "$ga" generate rmat -n 300 -m 2000 --keep-duplicates -q -o raw.txt
expect 0 "$ga" convert raw.txt -q "${faithful[@]}" -o raw.graphml
for command in info jdm dcm "jdm --loops=keep --multi=keep"; do
    # shellcheck disable=SC2086
    expect 0 "$ga" $command raw.txt -q && grep -v '^\(format\|bytes\|memory\)' out >expected
    # shellcheck disable=SC2086
    expect 0 "$ga" $command raw.graphml -q && grep -v '^\(format\|bytes\|memory\)' out | cmp -s - expected ||
        fail "$command of a GraphML file differs from that of the edge list"
done
expect 0 "$ga" info raw.graphml -q && has format graphml
expect 0 "$ga" sample raw.txt -r 0.3 -q -o small.gml --to gml
expect 0 "$ga" sample raw.txt -r 0.3 -q -o small.txt
expect 0 "$ga" convert small.gml -q -o back.txt && same small.txt back.txt "a sample as GML"
expect 1 "$ga" convert raw.graphml --loops=error && says "(--loops=error)"
expect 1 "$ga" convert raw.graphml --max-edges 100 && says "raw.graphml: "
expect 1 "$ga" convert raw.graphml --max-nodes 100 && says "more than --max-nodes 100"
expect 0 "$ga" convert raw.graphml --nodes 1000 -q && grep -q '^# Nodes: 1000 ' out || fail "--nodes"

section others
# networkx 3: nx.write_graphml of a DiGraph with string names and weights
cat >networkx.graphml <<'END'
<?xml version='1.0' encoding='utf-8'?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
  <key id="d1" for="edge" attr.name="weight" attr.type="double" />
  <key id="d0" for="node" attr.name="colour" attr.type="string" />
  <graph edgedefault="directed">
    <node id="alice"><data key="d0">red &amp; blue</data></node>
    <node id="bob" />
    <node id="carol" />
    <edge source="alice" target="bob"><data key="d1">0.5</data></edge>
    <edge source="carol" target="alice"><data key="d1">2.0</data></edge>
  </graph>
</graphml>
END
expect 0 "$ga" convert networkx.graphml --weights && says "names of nodes are no distinct numbers"
printf '# Nodes: 3 Edges: 2\n0\t1\t0.5\n2\t0\t2\n' | cmp -s - out || fail "names as numbers: $(cat out)"
# the same with numbers, which are ids
sed 's/alice/30/g; s/bob/7/g; s/carol/12345678901/g' networkx.graphml >numbers.graphml
expect 0 "$ga" convert numbers.graphml --weights
[ ! -s err ] || fail "a note: $(cat err)"
printf '# Nodes: 3 Edges: 2\n30\t7\t0.5\n12345678901\t30\t2\n' | cmp -s - out || fail "ids: $(cat out)"
# Gephi: undirected, edges with ids, attributes of sizes and colours
cat >gephi.graphml <<'END'
<?xml version="1.0" encoding="UTF-8"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key attr.name="label" attr.type="string" for="node" id="label"/>
<key attr.name="weight" attr.type="float" for="edge" id="weight"/>
<key attr.name="r" attr.type="int" for="node" id="r"/>
<!-- <edge source="1" target="1" directed="true"/> -->
<graph edgedefault="undirected">
<node id="1"><data key="label">one &gt; two</data><data key="r">153</data></node>
<node id="2"><data key="label"><![CDATA[<edge directed="true"/>]]></data></node>
<edge id="5" source="1" target="2" directed="false"><data key="weight">1.0</data></edge>
<edge id="6" source="2" target="2"/>
</graph>
</graphml>
END
expect 0 "$ga" convert gephi.graphml --loops=keep
printf '# Nodes: 2 Edges: 3\n1\t2\n2\t1\n2\t2\n' | cmp -s - out || fail "an undirected graph: $(cat out)"
expect 1 "$ga" convert gephi.graphml --weights --loops=keep && says "edge 2 of 2 has no finite weight"
expect 0 "$ga" convert gephi.graphml --weights --loops=keep --allow-nonfinite && grep -q $'^2\t2\tnan$' out ||
    fail "a missing weight"
# GML with labels; ids stand beside them
cat >labels.gml <<'END'
# by hand
graph [
  comment "two words &#228;"
  directed 1
  node [ id 20 label "Valjean" graphics [ x 1.5 y 2 ] ]
  node [ id 10 label "Javert" ]
  edge [ source 10 target 20 value 3 weight 1.25 ]
]
END
expect 0 "$ga" convert labels.gml --weights
printf '# Nodes: 2 Edges: 1\n10\t20\t1.25\n' | cmp -s - out || fail "ids of GML: $(cat out)"
# Pajek: DOS line ends, arcs lists, a heading without edges, matrices
printf '*Vertices 3\r\n1 "a"\r\n2 "b"\r\n3 "c"\r\n*Arcslist\r\n1 2 3\r\n3 3\r\n' >lists.net
expect 0 "$ga" convert lists.net --loops=keep && says "names of nodes are no distinct numbers"
printf '# Nodes: 3 Edges: 3\n0\t1\n0\t2\n2\t2\n' | cmp -s - out || fail "a list of arcs: $(cat out)"
printf '*Vertices 3\n*Arcs\n%% none\n1 2 1.5\n*Edges\n' >arcs.net
expect 0 "$ga" convert arcs.net --weights
printf '# Nodes: 3 Edges: 1\n0\t1\t1.5\n' | cmp -s - out || fail "arcs before an empty *Edges: $(cat out)"
printf '*Network x\n*Vertices 3\n*Arcs\n\n*Edges\n1 2\n' >edges.net
expect 0 "$ga" convert edges.net
printf '# Nodes: 3 Edges: 2\n0\t1\n1\t0\n' | cmp -s - out || fail "edges behind an empty *Arcs: $(cat out)"
printf '*Vertices 3\n*Matrix\n0 1 0\n0 0 2.5\n1 0 0\n' >matrix.net
expect 0 "$ga" convert matrix.net --weights
printf '# Nodes: 3 Edges: 3\n0\t1\t1\n1\t2\t2.5\n2\t0\t1\n' | cmp -s - out || fail "a matrix: $(cat out)"
printf '# 3\n5 1.5\n7 2\n# 9\n' >a.lgl
expect 0 "$ga" convert a.lgl --weights --undirected -q && [ "$(sed -n 3p out)" = $'3\t7\t2' ] ||
    fail "an .lgl file: $(cat out)"
# LEDA has every part
printf '1 2 0.5\n2 1 4\n' >two.txt
expect 0 "$ga" convert two.txt --weights -q -o two.leda
printf 'LEDA.GRAPH\nstring\ndouble\n-1\n# Vertices\n2\n|{1}|\n|{2}|\n# Edges\n2\n1 2 2 |{0.5}|\n2 1 1 |{4}|\n' |
    cmp -s - two.leda || fail "a LEDA file: $(cat two.leda)"

section lies
# refused NAME CAUSE: the file on standard input is refused with its name and these words, and nothing is written
refused()
{
    cat >"$1"
    expect 1 "$ga" convert "$1" "${faithful[@]}" -o out.txt && says "graphattn convert: $1: " && says "$2"
    [ ! -e out.txt ] || fail "$1: something was written"
}
head='<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key id="w" for="edge" attr.name="weight" attr.type="TYPE"/>'
head="$head"'<graph edgedefault="directed"><edge source="1" target="2"><data key="w">'
tail='</data></edge></graph></graphml>'
number=${head/TYPE/double}
refused empty.graphml "igraph: Line 1" </dev/null
refused no.graphml "igraph: Line 1" <<<'nothing'
printf '%s' "${number}1" | refused cut.graphml "igraph: Line 1"
printf '%s' "${number}1,5$tail" | refused comma.graphml "parsing real number"
printf '%s' "${number}1e400$tail" | refused huge.graphml "parse real number"
printf '%s' "${number}1e300$tail" | refused double.graphml "beyond single precision"
printf '%s' "${number}nan$tail" | refused nan.graphml "no finite weight"
printf '%s' "${number}-inf$tail" | refused inf.graphml "no finite weight"
printf '%s' "${head/TYPE/string}1$tail" | refused text.graphml 'the edge attribute "weight" is not numeric'
printf '%s' "${head/TYPE/complex}1$tail" | refused type.graphml "Unknown attribute type"
printf '%s' "${number/ target=\"2\"/}1$tail" | refused end.graphml "missing source or target"
printf '%s' "${number/ target/ directed=\"false\" target}1$tail" |
    refused mixed.graphml 'line 1: an edge with directed="false" in a graph of directed edges'
printf '<?xml version="1.0" encoding="UTF-16"?>' | sed 's/./&\x0/g' | refused wide.graphml "expected XML in UTF-8"
{
    printf '<?xml version="1.0"?>\n<!DOCTYPE graphml [\n<!ENTITY a "aaaaaaaaaa">\n'
    last=a
    for name in b c d e f g h i j; do
        printf '<!ENTITY %s "' "$name"
        for _ in 1 2 3 4 5 6 7 8 9 10; do printf '&%s;' "$last"; done
        printf '">\n'
        last=$name
    done
    printf ']>\n<graphml><graph edgedefault="directed"><node id="&j;"/></graph></graphml>\n'
} >bomb
SECONDS=0
refused bomb.graphml "line 3: an entity is declared" <bomb
[ "$SECONDS" -lt 10 ] || fail "an entity bomb took $SECONDS s"
{
    printf '<?xml version="1.0"?><!DOCTYPE graphml [<!ENTITY x SYSTEM "%s/bomb">]>' "$PWD"
    printf '<graphml><graph edgedefault="directed"><node id="&x;"/></graph></graphml>\n'
} | refused outer.graphml "an entity is declared"

refused count.net "expected *Vertices and their number" <<<'*Vertices -3'
refused wrap.net "expected *Vertices and their number" <<<'*Vertices 99999999999999999999'
refused many.net "nodes are more than --max-nodes 2147483648" <<<'*Vertices 3000000000'
printf '*Vertices 3\n*Arcs\n1 2\n*Edges\n2 3\n' | refused both.net "line 5: edges below *Arcs and below *Edges"
printf '*Vertices 3\n*Arcs\n1 2\n5 9\n' | refused range.net "Out-of-range vertex IDs"
printf '*Vertices 3\n*Arcs\n0 2\n' | refused zero.net "igraph: Non-positive vertex ID"
printf '*Vertices 3\n*Arcs\n*Edges\nx y\n' | refused words.net "line 4"
printf '*Vertices 3\n*Arcs :1 "friend"\n1 2\n*Arcs :2 "foe"\n2 3\n' | refused relations.net "line 2"
{ printf '*Vertices 1\n'; head -c 1100000 /dev/zero | tr '\0' x; } | refused line.net "line 2: a line of more than 1 MiB"
expect 1 "$ga" convert --max-memory 10M --from pajek - && says "igraph"
printf '*Vertices 100000000\n' >wide.net
expect 1 "$ga" convert wide.net --max-memory 100M && says "more are needed"

refused cut.gml "unexpected end of file" <<<'graph [ node [ id 1'
refused twice.gml "Duplicate node id" <<<'graph [ node [ id 1 ] node [ id 1 ] ]'
refused real.gml "Non-integer node id" <<<'graph [ node [ id 1.5 ] ]'
refused absent.gml "Unknown target node id" <<<'graph [ node [ id 1 ] edge [ source 1 target 9 ] ]'
refused deep.gml "igraph: Parse error in GML file" < <(for _ in $(seq 100); do printf 'graph [ '; done)
refused infinite.gml "no finite weight" <<<'graph [ node [ id 1 ] edge [ source 1 target 1 weight inf ] ]'
refused words.ncol "parsing real number" <<<'a b much'
refused one.ncol "igraph: Parse error in NCOL file" <<<'a'
refused headless.lgl "igraph: Parse error in LGL file" <<<'a b'
refused only.leda "this format can be written only" <<<'LEDA.GRAPH'
# a compressed file that ends early, for each reader
printf '0 1\n' >two.txt
for name in two.graphml two.gml two.net two.ncol two.lgl; do
    expect 0 "$ga" convert two.txt -q -o "$name.gz"
    head -c $(($(stat -c %s "$name.gz") - 9)) "$name.gz" >"cut-$name.gz"
    expect 1 "$ga" convert "cut-$name.gz" -o out.txt && says "cut-$name.gz" && says "ends too early"
    [ ! -e out.txt ] || fail "cut-$name.gz: something was written"
done

section outputs
# what cannot be written leaves nothing
expect 0 "$ga" generate er -n 2000 -m 20000 -q -o graph.txt
for format in graphml gml pajek ncol lgl leda; do
    expect 1 "$ga" convert graph.txt --to "$format" -o /dev/full && says "No space left"
    (ulimit -f 8 && "$ga" convert graph.txt --to "$format" -o limited >out 2>err) && fail "$format beyond the limit"
    "$ga" convert graph.txt --to "$format" -q 2>err | head -n 1 >out
    [ -s out ] || fail "$format on standard output"
done
only graph.txt
finish
