# What every program of a mapping file can call, besides jq's own functions.
# Those without a definition here are written in Go (functions.go).
#
#   severity         word or CVSS score -> critical | high | medium | low | info; null if it is none
#   severity($else)  the same, with what to say when it is none
#   cwes             any text, number or array -> [int]:  "CWE-79, CWE-80: ..." -> [79, 80]; a bare number counts
#   ids              any text or array -> the CVE, GHSA, ... ids in it, in order, once each
#   purl($type; $ns; $name; $version)  package URL; null or "" for what is not known
#   cvss($vector)    vector text -> {version, vector, score}; the score is computed; null if it is no vector
#   cvss($vector; $score)   the same with the tool's own score, which wins; works without a vector too
#   relpath          path -> slash-separated, without file://, drive, runner and container prefixes, ./ and a leading /
#   md               HTML -> Markdown; plain text stays as it is
#   ts               date of nearly any form, or Unix time -> RFC 3339; null if it is none
#   lookup($table; $key)    the element of an index table; null if there is none
#   keys_of($table)  the keys of an index table, as texts, in the order in which they first came; at most 100,000
#   list             null -> [], array -> itself, anything else -> [it]
#   text             anything -> text; null -> "", arrays joined by ", ", XML elements their text
#   tokey            text -> lower-case letters, digits and dashes: "Very High!" -> "very-high"
#   replace($from; $to)     every occurrence of a text, no pattern; linear
#   lines            text -> [lines], without line ends
#   field($names...) row | field("Plugin ID"; "plugin_id")  first member with that name, whatever its case,
#                    spaces, dashes and underscores; for CSV headers; null if there is none or it is empty
#   cols($names...)  .header | cols("Plugin ID"; "CVE")   whether a header has all of these names
#   int              text or number -> whole number, null if it is none
#   blank            true for null, "", [], {}
#   nonblank         itself, or empty if blank
#   first_of(f...)   first output that is not blank, or null:  first_of(.a, .b, "x")
#   prune            object or array without blank members, recursively
#   host_of          URL or host:port -> host
#   css($selector)   HTML tree -> [elements]; tag, .class, #id, [attr], [attr=value], descendants and > children
#   test match capture scan split sub gsub splits   as in jq; global ones on texts up to 8 KB, others up to 1 MB

def severity($else): severity // $else;
def lookup($table; $key): _lookup($__state; $table; $key);
def keys_of($table): _keys_of($__state; $table);
def nonblank: if blank then empty else . end;
def first_of(f): first(f | nonblank) // null;
def cvss($vector): _cvss($vector; null);
def cvss($vector; $score): _cvss($vector; $score);
def cols($a): _cols([$a]);
def cols($a; $b): _cols([$a, $b]);
def cols($a; $b; $c): _cols([$a, $b, $c]);
def cols($a; $b; $c; $d): _cols([$a, $b, $c, $d]);
def cols($a; $b; $c; $d; $e): _cols([$a, $b, $c, $d, $e]);
def field($a): _field([$a]);
def field($a; $b): _field([$a, $b]);
def field($a; $b; $c): _field([$a, $b, $c]);
def field($a; $b; $c; $d): _field([$a, $b, $c, $d]);

def match($re; $flags): if ($re | type) == "array" then _rx($re[0]; $re[1])[] else _rx($re; $flags)[] end | del(.named);
def match($re): match($re; null);
def test($re; $flags): _rx_test($re; $flags);
def test($re): if ($re | type) == "array" then _rx_test($re[0]; $re[1]) else _rx_test($re; null) end;
def capture($re; $flags): _rx($re; $flags)[] | .named;
def capture($re): capture($re; null);
def scan($re; $flags): _rx($re; ($flags // "") + "g")[] | if .captures == [] then .string else [.captures[].string] end;
def scan($re): scan($re; null);
def split($re; $flags): _rx_split($re; $flags);
def splits($re; $flags): _rx_split($re; $flags)[];
def splits($re): _rx_split($re; null)[];
def sub($re; str; $flags): . as $in | _rx($re; $flags) as $m
  | if $m == [] then $in else [$m[] | .named | first(str)] as $r | $in | _rx_splice($m; $r) end;
def sub($re; str): sub($re; str; null);
def gsub($re; str; $flags): sub($re; str; ($flags // "") + "g");
def gsub($re; str): sub($re; str; "g");
