/*
 * What RFC 8259 calls JSON, by category: texts that every reader must accept,
 * texts that none may, and those where the RFC leaves it to the reader.
 */

#include "text/json.h"

#include <sys/mman.h>

#include "base/bounds.h"
#include "base/status.h"
#include "tap.h"

enum { TEXT_MAX = 2 << 20 };

struct text {
	const char *bytes; /* may have NUL bytes */
	size_t len;
};

#define T(s)                                                                   \
	{                                                                      \
		s, sizeof(s) - 1                                               \
	}
#define ALL(a) (a), sizeof(a) / sizeof((a)[0])

/* --- must accept ---------------------------------------------------------- */

static const struct text good_arrays[] = {T("[]"), T("[ ]"), T("[\n\t\r ]"),
    T("[[]]"), T("[[],[]]"), T("[\"\"]"), T("[\"x\"]"), T("[true]"),
    T("[false]"), T("[null]"), T("[{}]"), T("[7]"), T("[7,8]"), T("[7 , 8]"),
    T("[7\n]"), T("[7\r\n,\t8 ]"), T("  [7]"), T("[7]   "),
    T("[null,7,\"7\",{\"7\":7},[7],true,false]"), T("[null,null,null,null,9]"),
    T("[[[[[[[[]]]]]]]]"), T("[{},{\"a\":[]},[{}]]"), T("[\"]\",\"[\"]"),
    T("[\",\"]")};

static const struct text good_numbers[] = {T("0"), T("-0"), T("9"), T("-9"),
    T("[10]"), T("[-10]"), T("[907]"), T("[0.0]"), T("[-0.0]"), T("[0.05]"),
    T("[60.125]"), T("[-7.50]"), T("[3e4]"), T("[3E4]"), T("[3e+4]"),
    T("[3E+4]"), T("[3e-4]"), T("[3E-4]"), T("[0e0]"), T("[0e+9]"), T("[0E-0]"),
    T("[-0e1]"), T("[3e04]"), T("[3e-007]"), T("[0.25e2]"), T("[12.75E+03]"),
    T("[-12.75e-10]"), T("[ 5]"), T("[5 ]"), T("\t5\n"), T("[5,-5]"),
    T("{\"n\":-5.5e5}"),
    T("[-0.00000000000000000000000000000000000000000000000000000000000009]"),
    T("[9007199254740993]"), T("[3.141592653589793238462643383279502884]")};

static const struct text good_objects[] = {T("{}"), T("{ }"), T("{\r\n\t }"),
    T("{\"\":0}"), T("{\"k\":\"v\"}"), T("{\"k\":1,\"l\":2}"),
    T("{ \"k\" : 1 , \"l\" : 2 }"), T("{\n\t\"k\": 1,\r\n\t\"l\": 2\n}"),
    T("{\"k\":1,\"k\":1}"), T("{\"k\":1,\"k\":2}"), T("{\"k\":[],\"l\":{}}"),
    T("{\"k\":{\"k\":{}}}"), T("{\"\\u0000k\\u0000\":0}"),
    T("{\"\\\"\":1,\"\\\\\":2}"), T("{\"\\u006b\":1,\"k\":2}"),
    T("{\"\xc3\xa4\":\"\\u00e4\"}"), T("{\"low\":-1.0e+20,\"high\":1.0e+20}"),
    T("{\":\":\",\",\"}\":\"{\"}"),
    T("{\"a name of more than sixteen bytes\":[{\"name\":null}]}")};

static const struct text good_strings[] = {T("\"\""), T("\" \""),
    T("\"plain\""), T("[\"a\",\"b\"]"),
    /* escapes */
    T("\"\\\"\""), T("\"\\\\\""), T("\"\\/\""), T("\"/\""), T("\"\\b\""),
    T("\"\\f\""), T("\"\\n\""), T("\"\\r\""), T("\"\\t\""),
    T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), T("\"\\\\n\""), T("\"\\\\u12\""),
    T("\"\\\\\\\\\\\"\""), T("\"'\\\"'\""), T("\"\\u0000\""),
    T("\"\\u001f\\u0020\""), T("\"\\u0022\\u005C\""), T("\"\\u007F\""),
    T("\"\\u0080\\u07ff\\u0800\""), T("\"\\uaBcD\\uAbCd\""),
    T("\"\\u2028\\u2029\""), T("\"\\u200b\\u2064\\ufeff\""),
    /* pairs, and the neighbours of surrogates */
    T("\"\\ud800\\udc00\""), T("\"\\uDBFF\\uDFFF\""), T("\"\\ud83D\\uDe80\""),
    T("\"\\ud834\\udd1e\\ud834\\udd1e\""), T("\"\\ud7ff\\ue000\""),
    /* no characters, but code points */
    T("\"\\ufffe\\uffff\\ufdd0\""), T("\"\\ud83f\\udffe\\udbff\\udfff\""),
    T("\"\xef\xbf\xbe\xef\xbf\xbf\xef\xb7\x90\""),
    T("\"\xf0\x9f\xbf\xbe\xf4\x8f\xbf\xbf\""), T("\"\xf0\x9b\xbf\xbf\""),
    /* UTF-8 as it is, from the first to the last of each length */
    T("\"\x7f\""), T("\"\xc2\x80 \xdf\xbf\""), T("\"\xe0\xa0\x80\""),
    T("\"\xed\x9f\xbf\xee\x80\x80\""), T("\"\xf0\x90\x80\x80\""),
    T("\"\xe2\x80\xa8\xe2\x80\xa9\""), T("\"\xef\xbb\xbf\""),
    T("\"\xcf\x80\xe2\x82\xac\xf0\x9d\x84\x9e\""),
    T("\"\xe6\x97\xa5\xe6\x9c\xac and plain bytes up to the next block\""),
    /* what means something elsewhere */
    T("\"# // /* */ [ ] { } : , null 1\""), T("\"sixteen bytes ..\"")};

static const struct text good_structure[] = {T("null"), T("true"), T("false"),
    T("42"), T("-0.5"), T("\"alone\""), T("\"\\u00e9\""), T("null\n"),
    T("true\r\n"), T(" \t\n\r false \t\n\r "), T("\n\n[\n\n]\n\n"), T("{}\n"),
    T("\t\"\"\t"), T("\r0\r")};

/* --- must refuse ---------------------------------------------------------- */

static const struct text bad_arrays[] = {T("["), T("]"), T("[ "), T("[\n"),
    T("[7"), T("[7 "), T("[7,"), T("[7,\n"), T("[7,\n8\n,9"), T("[\"x\""),
    T("[\"x"), T("[\"x,7]"), T("[{}"), T("[[]"), T("[[7],"), T("[tr"),
    T("[nul"), T("[7,]"), T("[7 , ]"), T("[7,,]"), T("[,]"), T("[,7]"),
    T("[,,7]"), T("[7,,8]"), T("[\"\",]"), T("[{},]"), T("[[],]"), T("[7 8]"),
    T("[\"x\" \"y\"]"), T("[7 true]"), T("[[] []]"), T("[7[]]"), T("[\"x\"7]"),
    T("[{}{}]"), T("[7;8]"), T("[\"k\":7]"), T("[:]"), T("[7:8]"), T("[7}"),
    T("[}"), T("[{]"), T("[*]"), T("[']"), T("[x"), T("[\\n]"), T("[\v7]"),
    T("[7\f,8]"), T("[\"\v\"\\f]"), T("[7]]"), T("[7],"), T("[7],[8]"),
    T("[7][8]"), T("[][]"), T("[\xff]"), T("[7\xe9]"), T("[\xe5"), T("[\0]"),
    T("[7,\0]"), T("[7,...]")};

static const struct text bad_numbers[] = {
    /* signs */
    T("+"), T("-"), T("[+]"), T("+0"), T("[+7]"), T("[++7]"), T("[--7]"),
    T("[+-7]"), T("[-+7]"), T("[- 7]"), T("[-\n7]"), T("[7-]"), T("[7+]"),
    T("[7-8]"), T("[7+8]"), T("[-x]"), T("[-]"), T("[-7x]"), T("[-\"7\"]"),
    /* leading zeros */
    T("00"), T("-00"), T("01"), T("[-02]"), T("[007]"), T("[00.5]"),
    T("[-00.5]"), T("[01e1]"),
    /* points */
    T("."), T("[.]"), T("[.7]"), T("[-.7]"), T("[.7e1]"), T("[.-7]"), T("[7.]"),
    T("[-7.]"), T("[0.]"), T("[7.,8]"), T("[7. 5]"), T("[7 .5]"), T("[7..5]"),
    T("[7.5.]"), T("[7.5.3]"), T("[7.-5]"), T("[7.+5]"), T("[7.x]"),
    T("[7,5.]"),
    /* exponents */
    T("e"), T("[e]"), T("[e5]"), T("[E+5]"), T("[-e5]"), T("[7e]"), T("[7E]"),
    T("[7e+]"), T("[7E+]"), T("[7e-]"), T("[7E-]"), T("[0e]"), T("[0E]"),
    T("[0e+]"), T("[0E+]"), T("[0.5e]"), T("[0.5E-]"), T("[7.5e+]"), T("[7.e]"),
    T("[7.e5]"), T("[7.E+5]"), T("[7.e-5]"), T("[0.e5]"), T("[7ee5]"),
    T("[7eE5]"), T("[7e+-5]"), T("[7e++5]"), T("[7e5e5]"), T("[7e 5]"),
    T("[7 e5]"), T("[7e5.5]"), T("[7e.5]"), T("[7ex]"), T("[7e0x]"),
    /* other bases, other ways to write them */
    T("0x"), T("0x7"), T("[0x7F]"), T("[0X7f]"), T("[-0x7]"), T("[0b11]"),
    T("[0o17]"), T("[7F]"), T("[7_000]"), T("[7 000]"), T("[7'000]"), T("[7n]"),
    T("[7L]"), T("[7f]"), T("[$7]"), T("[7%]"), T("[7*8]"), T("[7/8]"),
    T("[(7)]"), T("[07:30]"),
    /* no numbers */
    T("NaN"), T("nan"), T("[NaN]"), T("[-NaN]"), T("[+NaN]"), T("Inf"),
    T("inf"), T("[Inf]"), T("[-Inf]"), T("[+Inf]"), T("[Infinity]"),
    T("[-Infinity]"), T("[+Infinity]"), T("[-infinity]"), T("[1.#INF]"),
    /* digits of other scripts, bytes that are none */
    T("\xef\xbc\x97"), T("[\xef\xbc\x97]"), T("[7\xef\xbc\x98]"),
    T("[-\xd9\xa7]"), T("[\xc2\xb2]"), T("[\xe2\x88\x92\x37]"), T("[7\xff]"),
    T("[70\xe9]"), T("[-7\x80]"), T("[7.\xff]"), T("[7.5\xc3]"), T("[7e\xff]"),
    T("[7e5\xff]"), T("[7E-5\xf0]"), T("7\0"), T("70\0"), T("[7\0]"),
    T("[7.\0]"), T("[7e\0]"), T("[-\0]"), T("7\0008")};

static const struct text bad_objects[] = {T("{"), T("}"), T("{ "), T("{\""),
    T("{\"k"), T("{\"k\""), T("{\"k\" "), T("{\"k\":"), T("{\"k\": "),
    T("{\"k\":7"), T("{\"k\":7,"), T("{\"k\":\"v\""), T("{\"k\":\"v"),
    T("{\"k\":{}"), T("{\"k\":[7}"), T("{\"k\":tru}"),
    /* commas and colons */
    T("{,}"), T("{,\"k\":7}"), T("{\"k\":7,}"), T("{\"k\":7 , }"),
    T("{\"k\":7,,}"), T("{\"k\":7,,\"l\":8}"), T("{\"k\":7 \"l\":8}"),
    T("{\"k\":7;\"l\":8}"), T("{\"k\":7:8}"), T("{\"k\"}"), T("{\"k\",7}"),
    T("{\"k\" 7}"), T("{\"k\"7}"), T("{\"k\"=7}"), T("{\"k\"=>7}"),
    T("{\"k\"::7}"), T("{\"k\":}"), T("{\"k\":,\"l\":8}"), T("{:}"), T("{:7}"),
    T("{\"k\":7,8}"), T("{\"k\":7,\"l\"}"), T("{\"k\":7,\"l\":}"),
    /* names */
    T("{7:7}"), T("{-7:7}"), T("{7e7:7}"), T("{k:7}"), T("{'k':7}"),
    T("{\"k\":'v'}"), T("{`k`:7}"), T("{null:7}"), T("{true:7}"),
    T("{null:null,null:null}"), T("{[]:7}"), T("{{}:7}"), T("{\"k\" \"l\":7}"),
    T("{\"k\"+\"l\":7}"), T("{\"k\nl\":7}"), T("{\"k\\x\":7}"),
    T("{\\u0022k\":7}"), T("{\xf0\x9f\x9a\x80:7}"), T("{\xb9:7,}"),
    T("{\xb9\":\"7\",}"), T("{\"k\0\":7}"), T("{\0\"k\":7}"), T("{\"k\"\0:7}"),
    T("{\"k\":\0}"),
    /* behind them */
    T("{\"k\":7]"), T("{\"k\":7)"), T("{\"k\":7}}"), T("{\"k\":7}]"),
    T("{\"k\":7},"), T("{}{}"), T("{} {}"), T("{\"k\":7}x"), T("{\"k\":7}#"),
    T("{\"k\":7}/"), T("{\"k\":7}//"), T("{\"k\":7}// c"),
    T("{\"k\":7}/* c */"), T("{\"k\":/* c */7}"), T("{/**/}"),
    T("{\"k\":7}/**//"), T("{\"k\":7 // c\n}"), T("{\"k\":7 # c\n}"),
    T("{\"k\":v}"), T("{...}"), T("{\"k\":7 7}")};

static const struct text bad_strings[] = {
    /* quotes */
    T("\""), T("\"x"), T("x\""), T("\"\"\""), T("\"x\"y"), T("\"x\"\"y\""),
    T("'x'"), T("['x']"), T("`x`"), T("[\"x']"), T("[x]"), T("[\"x\", y]"),
    T("\xe2\x80\x9cx\xe2\x80\x9d"), T("\\\"x\\\""), T("[\\u0022x\\u0022]"),
    T("[\\u0020\"x\"]"), T("(\"x\")"), T("\"x\" + \"y\""),
    T("\"sixteen bytes and more of it, and no end"), T("\"\xc3"),
    T("\"\xe2\x82"), T("\"\xf0\x9f\x9a"), T("\"\xc3\xa9"),
    /* escapes */
    T("\"\\\""), T("\"\\"), T("\"\\\\\\\""), T("\"\\a\""), T("\"\\v\""),
    T("\"\\e\""), T("\"\\N\""), T("\"\\T\""), T("\"\\0\""), T("\"\\012\""),
    T("\"\\x00\""), T("\"\\x7f\""), T("\"\\'\""), T("\"\\`\""), T("\"\\ \""),
    T("\"\\(\""), T("\"\\\n\""), T("\"\\\t\""), T("\"\\\r\n\""), T("\"\\\0\""),
    T("\"\\\x1f\""), T("\"\\\x7f\""), T("\"\\\xc3\xa9\""),
    T("\"\\\xf0\x9f\x9a\x80\""), T("\"\\\xe9\""), T("\"\\\x80\""),
    T("\"\\\xff\""), T("\"\\\\\\x\""),
    /* of four digits */
    T("\"\\u\""), T("\"\\u"), T("\"\\u0"), T("\"\\u00"), T("\"\\u00e"),
    T("\"\\u00e9"), T("\"\\u0\""), T("\"\\u00\""), T("\"\\u00e\""),
    T("\"\\u00eg\""), T("\"\\ug0e9\""), T("\"\\u0 e9\""), T("\"\\u +e9\""),
    T("\"\\u-0e9\""), T("\"\\u0x09\""), T("\"\\u{e9}\""), T("\"\\U00e9\""),
    T("\"\\U000000e9\""), T("\"\\u00\xc3\xa9\""), T("\"\\u\xef\xbc\x90\""),
    T("\"\\u00e\xe5\""), T("\"\\u\xe5\""), T("\"\\u00e\0\""), T("\"\\u00e\n\""),
    T("\"\\u00/9\""), T("\"\\u00:9\""), T("\"\\u00@9\""), T("\"\\u00G9\""),
    T("\"\\u00`9\""), T("\"\\u00\\u00e9\""),
    /* of half a pair, and what follows is no escape at all */
    T("\"\\ud83d\\"), T("\"\\ud83d\\\""), T("\"\\ud83d\\u"),
    T("\"\\ud83d\\u\""), T("\"\\ud83d\\u1\""), T("\"\\ud83d\\ude8"),
    T("\"\\ud83d\\ude8\""), T("\"\\ud83d\\ude8x\""), T("\"\\ud83d\\x80\""),
    T("\"\\ud83d\\u\xe5\""),
    /* control characters */
    T("\"\n\""), T("\"\t\""), T("\"\r\""), T("\"\r\n\""), T("\"\b\""),
    T("\"\f\""), T("\"\x01\""), T("\"\x1b[0m\""), T("\"\x1f\""), T("\"\0\""),
    T("\"x\0y\""), T("\"\0"), T("[\"x\ny\"]"), T("[\"x\",\"\ty\"]"),
    T("\"sixteen bytes ..\x01\""), T("\"sixteen bytes .\x1f.\""),
    T("\"sixteen bytes ..\0..sixteen bytes\""), T("\"\xc3\xa9\n\"")};

static const struct text bad_structure[] = {T(""), T(" "), T("\n"),
    T("\t\r\n "), T(","), T(":"), T("\\"), T("/"), T("*"), T("x"), T("'"),
    T("\0"), T("\x1a"), T("\x7f"), T("<>"), T("<null>"), T("[<null>]"), T("()"),
    T("&amp;"), T("=1"), T("---\n- 7\n"),
    /* words */
    T("n"), T("nu"), T("nul"), T("nulll"), T("nuII"), T("Null"), T("NULL"),
    T("nil"), T("none"), T("None"), T("t"), T("tru"), T("truee"), T("True"),
    T("TRUE"), T("f"), T("fals"), T("falsee"), T("False"), T("FALSE"),
    T("[fals]"), T("[TRUE]"), T("[nulL]"), T("undefined"), T("[undefined]"),
    T("yes"), T("[truefalse]"), T("[true false]"), T("nullnull"), T("null7"),
    T("true\"\""), T("n\0ull"), T("null\0"), T("\0null"), T("t\xc5\x99ue"),
    T("[nul\xc5\x82]"), T("\xc3\xa9"), T("\xf0\x9d\x90\xadrue"),
    /* more than one value, or something more */
    T("7 8"), T("7,8"), T("null null"), T("null,"), T(",null"), T("null;"),
    T("null]"), T("null}"), T("[] x"), T("[]7"), T("[7]#"), T("7 //"),
    T("7 /**/"), T("/**/ 7"), T("// c\n7"), T("# c\n7"), T("{}null"),
    T("\"x\"7"), T("7\"x\""), T("[]\0"), T("{}\0\0"), T("[\"x\"]\x1a"),
    T(")]}',\n[7]"), T("\x1e[7]\n"), T("x([7])"), T("[];"),
    /* opened in turn */
    T("[{"), T("{["), T("{{"), T("[[["), T("{}}"), T("[]]"), T("[{]}"),
    T("{\"k\":[}]"), T("[{\"k\":[{\"k\":["), T("[\"{[\"{[\"{["),
    T("{\"k\":{\"k\":{\"k\":"), T("[[[[7]]]"), T("{]"), T("(]"), T("{'"),
    T("{'k'"), T("{,"), T("{]}"), T("[,"), T("[7,\"x\",{\"k\":[true,nul"),
    T("[\\{[\\{[\\{["), T("*[7]"), T("[7*")};

static const struct text bad_whitespace[] = {T("\f"), T("\v"), T("\f7"),
    T("7\f"), T("\v[]"), T("[]\v"), T("[\f]"), T("{\f}"), T("{\"k\"\f:7}"),
    T("{\"k\":\v7}"), T("\b7"), T("7\x1f"), T("\0 7"), T("7 \0"), T("\xa0[]"),
    T("\x85[]"), T("\\n[]"), T("[]\\n"), T("[\\t]"), T("7&nbsp;"),
    /* U+0085 U+00a0 U+1680 U+2003 U+2028 U+2060 U+200b U+3000 */
    T("\xc2\x85[]"), T("[]\xc2\xa0"), T("[\xc2\xa0]"), T("\xe1\x9a\x80[]"),
    T("[7,\xe2\x80\x83[]]"), T("[]\xe2\x80\xa8"), T("[\xe2\x81\xa0]"),
    T("\xe2\x80\x8b[]"), T("{\xe3\x80\x80}")};

/* What cannot be UTF-8, and is not inside a string. */
static const struct text bad_encoding[] = {T("\x80"), T("\xbf"), T("\xc0"),
    T("\xe9"), T("\xfe"), T("\xff"), T("\xff\xfe"), T("\xc0\x80"),
    T("\xed\xa0\x80"), T("\xf5"), T("[\x80]"), T("[]\xff"), T("{\xff}"),
    T("{\"k\"\xe9:7}"), T("{\"k\":\xe9}"), T("[\xc0\xa0]"), T("null\x80"),
    T("t\xf2ue"), T("\xc0\xa2x\xc0\xa2"),
    /* A mark of the byte order, cut, doubled, misplaced, or alone. */
    T("\xef\xbb\xbf"), T("\xef"), T("\xef\xbb"), T("\xef\xbb{}"), T("\xef{}"),
    T("\xbb\xbf{}"), T("\xef\xbf\xbb{}"), T("{}\xef\xbb\xbf"),
    T("[\xef\xbb\xbf]"), T("\xff\xfe\0\0")};

/* --- left to the reader --------------------------------------------------- */

/* Numbers stay text: none is too large, too small, or too long. */
static const struct text any_numbers[] = {T("[7e999]"), T("[-7e999]"),
    T("[0.7e+9999999999]"), T("[7e-999]"), T("[-7e-999]"),
    T("[0e999999999999999999999]"), T("[1.8e308]"), T("[-1.8e308]"),
    T("[2e-324]"), T("[18446744073709551616]"), T("[-9223372036854775809]"),
    T("[-170141183460469231731687303715884105729]"),
    T("[7654321076543210765432107654321076543210765432107654321076543210]"),
    T("[-7654321076543210765432107654321076543210765432107654321076543210]"),
    T("[123e-10000000]"), T("[7e00000000000000000000000000000000000000001]")};

/* Half a pair is no character: refused. */
static const struct text any_surrogates[] = {T("\"\\ud800\""), T("\"\\uDBFF\""),
    T("\"\\udc00\""), T("\"\\uDfFf\""), T("\"\\ud83dx\""), T("\"\\ud83d \""),
    T("\"\\ud83d\\n\""), T("\"\\ud83d\\\\\""), T("\"\\ud83d\\u0078\""),
    T("\"\\ud83d\\ud83d\""), T("\"\\ud83d\\ud7ff\""), T("\"\\ud83d\\ue000\""),
    T("\"\\ud83d\\ud83d\\ude80\""), T("\"\\ud83d\\ude80\\ude80\""),
    T("\"\\ude80\\ud83d\""), T("\"x\\ude80y\""), T("\"\\ud83dude80\""),
    T("\"\\ud83d\xed\xba\x80\""), T("{\"\\ud83d\":7}"), T("{\"\\ude80\":7}"),
    T("[\"\\ud83d\",\"\\ude80\"]")};

/*
 * Strings are UTF-8 as RFC 3629 has it, with no overlong form, no surrogate,
 * nothing beyond U+10ffff: what is not is refused.
 */
static const struct text any_utf8[] = {T("\"\x80\""), T("\"\xbf\""),
    T("\"x\x81y\""), T("\"\xff\""), T("\"\xfe\""), T("\"\xe9\""),
    T("\"caf\xe9\""), T("\"\xe9\xe8\""),
    /* cut */
    T("\"\xc3\""), T("\"\xe2\x82\""), T("\"\xe2\""), T("\"\xf0\x9f\x9a\""),
    T("\"\xf0\x9f\""), T("\"\xf0\""), T("\"\xe2\x82x\""),
    T("\"\xf0\x9f\x9ax\""), T("\"\xc3\xc3\xa9\""),
    /* overlong */
    T("\"\xc0\x80\""), T("\"\xc0\xaf\""), T("\"\xc1\xbf\""),
    T("\"\xe0\x80\xaf\""), T("\"\xe0\x9f\xbf\""), T("\"\xf0\x80\x80\xaf\""),
    T("\"\xf0\x8f\xbf\xbf\""), T("\"\xf8\x80\x80\x80\xaf\""),
    T("\"\xfc\x80\x80\x80\x80\x80\""), T("\"\xfc\x83\xbf\xbf\xbf\xbf\""),
    /* surrogates, alone and in pairs */
    T("\"\xed\xa0\x80\""), T("\"\xed\xbf\xbf\""),
    T("\"\xed\xa0\xbd\xed\xba\x80\""),
    /* beyond U+10ffff */
    T("\"\xf4\x90\x80\x80\""), T("\"\xf5\x80\x80\x80\""),
    T("\"\xf7\xbf\xbf\xbf\""), T("\"\xfb\xbf\xbf\xbf\xbf\""),
    T("\"\xfd\xbf\xbf\xbf\xbf\xbf\""),
    /* in a name, and behind whole blocks */
    T("{\"\xff\":7}"), T("\"sixteen bytes ..\xff\""),
    T("\"sixteen bytes .\xc0\xae\""), T("\"\xc3\xa9\xe9\"")};

/* A text has no mark of the byte order, and no encoding but UTF-8: refused. */
static const struct text any_encoding[] = {T("\xef\xbb\xbf{}"),
    T("\xef\xbb\xbf[7]"), T("\xef\xbb\xbf\"x\""), T("\xef\xbb\xbf null"),
    T(" \xef\xbb\xbf{}"), T("\xef\xbb\xbf\xef\xbb\xbf{}"), T("[\0]\0"),
    T("\0[\0]"), T("\xff\xfe[\0]\0"), T("\xfe\xff\0[\0]"), T("\0007"),
    T("7\0008\0"), T("\"\0\xe9\0\"\0"), T("\0\"\0\xe9\0\""),
    T("\xff\xfe\"\0\xe9\0\"\0"), T("[\0\0\0]\0\0\0"), T("\0\0\0[\0\0\0]"),
    T("\x2b\x2f\x76\x38-{}")};

/* -------------------------------------------------------------------------- */

/* The bytes of a text, on one line. */
static void
print_text(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)bytes[i];

		if (c >= 0x20 && c < 0x7f && c != '\\')
			fprintf(stderr, "%c", c);
		else
			fprintf(stderr, "\\x%02x", c);
	}
	fprintf(stderr, "\n");
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What walking over an array or object finds; what checking found if none. */
static int
walk(const uint8_t *text, size_t len, int rc)
{
	struct json_cursor c = {text, text + len, NULL};
	struct json_value name, value;
	bool first = true;
	uint8_t open;

	if (json_at_end(&c) || (*c.pos != '[' && *c.pos != '{'))
		return rc;
	open = *c.pos;
	rc = json_enter(&c, open);
	while (rc == 0)
		rc = open == '{' ? json_member(&c, &first, &name, &value)
				 : json_element(&c, &first, &value);
	if (rc == STATUS_END)
		return json_at_end(&c) ? 0 : STATUS_SYNTAX;
	return rc;
}

/* What the reader says of a text.  -1 if its calls do not agree. */
static int
judge(const uint8_t *text, size_t len)
{
	struct json_value v;
	const char *why = NULL;
	struct json_cursor c = {text, text + len, NULL};
	struct buf chars;
	int rc = json_check(text, len, &v, &why), next;

	if ((rc == 0) != (why == NULL) || walk(text, len, rc) != rc)
		return -1;
	next = json_next(&c, &v);
	if (c.pos < text || c.pos > text + len)
		return -1;
	if (next == 0)
		next = json_at_end(&c) ? 0 : STATUS_SYNTAX;
	if (next != rc)
		return -1;
	if (rc != 0)
		return rc;
	if (is_blank((char)v.text[0]) || is_blank((char)v.text[v.len - 1]))
		return -1;
	if (v.type == JSON_STRING) {
		buf_init(&chars, len);
		if (json_unescape(&v, &chars) != 0 ||
		    !json_is_utf8(chars.data, chars.len))
			rc = -1;
		buf_release(&chars);
	}
	return rc;
}

/* Where memory ends: TEXT_MAX bytes before it are there, none behind it. */
static uint8_t *
edge(void)
{
	static uint8_t *start;

	if (start == NULL) {
		start = mmap(NULL, 2 * TEXT_MAX, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (start == MAP_FAILED ||
		    mprotect(start + TEXT_MAX, TEXT_MAX, PROT_NONE) != 0)
			abort();
	}
	return start + TEXT_MAX;
}

/*
 * The same in a block of just its size, where a sanitizer sees a read beyond,
 * and at the edge of memory: the sanitizer of gcc leaves out some checks.
 */
static int
read_text(const char *bytes, size_t len)
{
	uint8_t *block = malloc(len), *last = edge() - len;
	int rc;

	memcpy(block, bytes, len);
	memcpy(last, bytes, len);
	rc = judge(block, len);
	if (judge(last, len) != rc)
		rc = -1;
	free(block);
	return rc;
}

/* The same of a text between others. */
static int
read_between(const char *before, const struct text *t, const char *behind)
{
	size_t n = strlen(before), m = strlen(behind);
	char *all = malloc(n + t->len + m);
	int rc;

	memcpy(all, before, n);
	memcpy(all + n, t->bytes, t->len);
	memcpy(all + n + t->len, behind, m);
	rc = read_text(all, n + t->len + m);
	free(all);
	return rc;
}

/* Is each beginning of a text read within its bytes, and no whole value? */
static bool
cuts_hold(const struct text *t, int want)
{
	size_t solid = t->len, start = 0;
	bool closed;

	while (solid > 0 && is_blank(t->bytes[solid - 1]))
		solid--;
	while (start < solid && is_blank(t->bytes[start]))
		start++;
	closed = want == 0 && strchr("[{\"", t->bytes[start]) != NULL;
	for (size_t len = 0; len < solid; len++) {
		int rc = read_text(t->bytes, len);

		if (rc == -1 || (closed && rc != STATUS_SYNTAX))
			return false;
	}
	return true;
}

/*
 * Is a text judged as it should be?  Blanks around it change nothing; behind
 * it they also let the reader take whole blocks of it.
 */
static bool
holds(const struct text *t, int want)
{
	static const char blanks[] = " \t\r\n                                ";

	if (read_text(t->bytes, t->len) != want ||
	    read_between("", t, blanks) != want ||
	    read_between(blanks, t, "") != want || !cuts_hold(t, want))
		return false;
	return want != 0 ||
	    (read_between("[", t, "]") == 0 &&
		read_between("[0,", t, ",0]") == 0 &&
		read_between("{\"k\":", t, "}") == 0);
}

static void
category(const char *name, const struct text *texts, size_t count, int want)
{
	int wrong = 0;

	for (size_t i = 0; i < count; i++) {
		if (!holds(&texts[i], want)) {
			wrong++;
			fprintf(stderr, "# judged wrongly: ");
			print_text(texts[i].bytes, texts[i].len);
		}
	}
	tap_int(wrong, 0, "%s %s (%zu)", want == 0 ? "accept" : "refuse", name,
	    count);
}

static void
test_accept(void)
{
	category("arrays", ALL(good_arrays), 0);
	category("numbers", ALL(good_numbers), 0);
	category("objects", ALL(good_objects), 0);
	category("strings", ALL(good_strings), 0);
	category("structure", ALL(good_structure), 0);
}

static void
test_refuse(void)
{
	category("arrays", ALL(bad_arrays), STATUS_SYNTAX);
	category("numbers", ALL(bad_numbers), STATUS_SYNTAX);
	category("objects", ALL(bad_objects), STATUS_SYNTAX);
	category("strings", ALL(bad_strings), STATUS_SYNTAX);
	category("structure", ALL(bad_structure), STATUS_SYNTAX);
	category("whitespace", ALL(bad_whitespace), STATUS_SYNTAX);
	category("encoding", ALL(bad_encoding), STATUS_SYNTAX);
}

static void
test_left_to_reader(void)
{
	category("numbers of any size", ALL(any_numbers), 0);
	category("half a surrogate pair", ALL(any_surrogates), STATUS_SYNTAX);
	category("strings not in UTF-8", ALL(any_utf8), STATUS_SYNTAX);
	category("texts not in plain UTF-8", ALL(any_encoding), STATUS_SYNTAX);
}

/* Every byte at places where only some may stand. */
static void
test_bytes(void)
{
	static const struct {
		const char *before, *behind, *good;
	} rows[] = {
	    {"", "", "0123456789"},
	    {"", "null", " \t\r\n"},
	    {"null", "", " \t\r\n"},
	    {"nul", "", "l"},
	    {"", "rue", "t"},
	    {"fal", "e", "s"},
	    {"-", "", "0123456789"},
	    {"7", "", " \t\r\n0123456789"},
	    {"0", "", " \t\r\n"},
	    {"7.", "", "0123456789"},
	    {"7.5", "", " \t\r\n0123456789"},
	    {"7e", "", "0123456789"},
	    {"7e", "5", "+-0123456789"},
	    {"7e+", "", "0123456789"},
	    {"7e5", "", " \t\r\n0123456789"},
	    {"0", "1", ".eE"},
	    {"[0", "1]", ",.eE"},
	    {"[0", "-1]", ",eE"},
	    {"[", "]", " \t\r\n0123456789"},
	    {"[7", "", "]"},
	    {"[7", "\"\"]", ","},
	    {"[7]", "", " \t\r\n"},
	    {"{", "}", " \t\r\n"},
	    {"{", "\"k\":7}", " \t\r\n"},
	    {"{\"k\"", "7}", ":"},
	    {"{\"k\":", "}", "0123456789"},
	    {"{\"k\":[]", "}", " \t\r\n"},
	    {"{\"k\":7", "\"l\":8}", ","},
	    {"{\"k\":7", "", "}"},
	    {"\"x", "", "\""},
	    {"\"", "\"",
		" !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"[]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f"},
	    {"\"\\", "\"", "\"\\/bfnrt"},
	    {"\"\\", "\\\"", ""},
	    {"\"\\", "00e9\"", "\"\\/bfnrtu"},
	    {"\"\\u", "0e9\"", "0123456789abcdefABCDEF"},
	    {"\"\\u00e", "\"", "0123456789abcdefABCDEF"},
	    {"\"\\ud", "00\"", "01234567"},
	    {"\"\\ud", "00\\udc00\"", "89abAB"},
	    {"\"\\ud83d", "ude80\"", "\\"},
	    {"\"\\ud83d\\", "de80\"", "u"},
	    {"\"\\ud83d\\ud", "80\"", "cdefCDEF"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t count = strlen(rows[i].good);
		int wrong = 0;

		for (int b = 0; b < 256; b++) {
			char byte = (char)b;
			struct text t = {&byte, 1};
			bool good = memchr(rows[i].good, byte, count) != NULL;
			int want = good ? 0 : STATUS_SYNTAX;

			if (read_between(rows[i].before, &t, rows[i].behind) !=
			    want) {
				wrong++;
				fprintf(stderr, "# judged wrongly: byte %d\n",
				    b);
			}
		}
		tap_int(wrong, 0, "each byte in %s_%s", rows[i].before,
		    rows[i].behind);
	}
}

/* A text of head, then open and then close count times, and tail. */
static int
read_repeated(const char *head, const char *open, const char *close,
    const char *tail, size_t count)
{
	const char *parts[] = {head, open, close, tail};
	size_t times[] = {1, count, count, 1}, len = 0;
	char *all;
	int rc;

	for (int i = 0; i < 4; i++)
		len += strlen(parts[i]) * times[i];
	all = malloc(len);
	len = 0;
	for (int i = 0; i < 4; i++) {
		size_t n = strlen(parts[i]);

		for (size_t k = 0; k < times[i]; k++, len += n)
			memcpy(all + len, parts[i], n);
	}
	rc = read_text(all, len);
	free(all);
	return rc;
}

/* Depth is the reader's choice, too: up to JSON_DEPTH_MAX. */
static void
test_deep(void)
{
	static const struct {
		const char *open, *close;
		size_t count;
		int want;
	} rows[] = {
	    {"[", "]", JSON_DEPTH_MAX, 0},
	    {"{\"k\":[", "]}", JSON_DEPTH_MAX / 2, 0},
	    {"[ ", " ]", JSON_DEPTH_MAX, 0},
	    {"[", "]", 500, STATUS_TOO_BIG},
	    {"[", "]", 100000, STATUS_TOO_BIG},
	    {"[[],", "0]", 100000, STATUS_TOO_BIG},
	    {"{\"k\":[", "]}", 100000, STATUS_TOO_BIG},
	    {"[", "", 100000, STATUS_TOO_BIG},
	    {"{\"k\":", "", 100000, STATUS_TOO_BIG},
	    {"[{\"k\":", "", 50000, STATUS_TOO_BIG},
	    {"[0,", "", 100000, STATUS_TOO_BIG},
	    {"{", "}", 100000, STATUS_SYNTAX},
	    {"]", "", 100000, STATUS_SYNTAX},
	    {"[", "", JSON_DEPTH_MAX, STATUS_SYNTAX},
	    {"[", "}", JSON_DEPTH_MAX, STATUS_SYNTAX},
	    {"[]", "", 100000, STATUS_SYNTAX},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		tap_int(read_repeated("", rows[i].open, rows[i].close, "",
			    rows[i].count),
		    rows[i].want, "%zu times %s and %s", rows[i].count,
		    rows[i].open, rows[i].close);
}

static void
test_long(void)
{
	static const struct {
		const char *head, *part, *tail;
		int want;
	} rows[] = {
	    {"7", "0", "", 0},
	    {"0.", "7", "e-7", 0},
	    {"7e", "7", "", 0},
	    {"", "0", "", STATUS_SYNTAX},
	    {"\"", "x", "\"", 0},
	    {"\"", "\xc3\xa9", "\"", 0},
	    {"\"", "\\u00e9", "\"", 0},
	    {"\"", "\\ud83d\\ude80", "\"", 0},
	    {"\"", "\\\\", "\"", 0},
	    {"\"", "\\\\", "\\\"", STATUS_SYNTAX},
	    {"\"", "x", "", STATUS_SYNTAX},
	    {"\"", "x", "\t\"", STATUS_SYNTAX},
	    {"[0", ",0", "]", 0},
	    {"[0", ",0", ",]", STATUS_SYNTAX},
	    {"[[]", ",[]", "]", 0},
	    {"[", ",", "]", STATUS_SYNTAX},
	    {"{\"k\":0", ",\"k\":0", "}", 0},
	    {"{\"k\":0", ",\"k\":0", ",}", STATUS_SYNTAX},
	    {"", " ", "7", 0},
	    {"7", "\t", "", 0},
	    {"", " ", "", STATUS_SYNTAX},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		tap_int(read_repeated(rows[i].head, rows[i].part, "",
			    rows[i].tail, 100000),
		    rows[i].want, "%s, 100000 times %s, %s", rows[i].head,
		    rows[i].part, rows[i].tail);
}

/* No text may come without a pointer, too. */
static void
test_nothing(void)
{
	struct json_value v;
	const char *why = NULL;

	tap_int(json_check(NULL, 0, &v, &why), STATUS_SYNTAX, "nothing");
	tap(why != NULL, "say why: %s", why == NULL ? "" : why);
	tap_int(json_find(NULL, 0, ".k", &v, &why), STATUS_SYNTAX,
	    "no member of nothing");
}

int
main(void)
{
	test_accept();
	test_refuse();
	test_left_to_reader();
	test_bytes();
	test_deep();
	test_long();
	test_nothing();
	return tap_done();
}
