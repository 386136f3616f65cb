"""The strings that tokenizers are compared on: written by hand where a rule has an edge, and mixed from pieces with a seed."""

import random

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<file_sep>", "<jupyter_code>", "<empty_output>"]

ENGLISH = [
    "The quick brown fox jumps over the lazy dog.",
    "It's what they've said: I'm sure we'll go, he'd stay, you're late, don't!",
    "IT'S WHAT THEY'VE SAID, I'M SURE WE'LL",
    "An order of 3 teapots, 12 cups and 1,250.50 plates (see §4.2) arrives on 2024-05-01 at 09:30.",
    "Antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "e.g. i.e. etc. U.S.A. Ph.D. v1.2.3-rc.4+build5 foo@bar.com https://example.org/a/b?c=d&e=%20f#g",
    "‘curly’ “quotes” — dash – en‑dash … ellipsis † ‡ • ‰ ™ © ®",
    "CamelCaseIdentifierWithHTTPServer snake_case_name kebab-case-name SCREAMING_SNAKE",
]
OTHER = [
    "三个红色的碗，寄到上海。今天天气很好！", "你好，世界。这是一个测试：一、二、三。", "繁體中文測試，臺灣。", "㐀㐁𠀀𠀁𪜀", "〇一二三四五六七八九十百千万亿",
    "吾輩は猫である。名前はまだ無い。", "カタカナとひらがな、漢字。ｶﾀｶﾅ", "東京都渋谷区1丁目２番３号", "がぎぐげご か\u3099き\u3099", "ー〜・「」『』",
    "안녕하세요 세계, 한국어 문장입니다.", "한국", "مرحبا بالعالم، هذا اختبار.", "السَّلَامُ عَلَيْكُمْ", "١٢٣٤٥ و ٦٧٨٩٠", "۱۲۳ فارسی", "שלום עולם, זה מבחן.",
    "שָׁלוֹם", "Привет, мир! Как дела?", "Ёлка ёжик объём", "Γειά σου Κόσμε, ΑΒΓΔ ς σ", "नमस्ते दुनिया, क्या हाल है?", "१२३४", "ক্ষমতা বাংলা", "வணக்கம் உலகம்", "สวัสดีชาวโลก",
    "๑๒๓", "ສະບາຍດີ", "ພາສາ ໑໒", "ကမ္ဘာ", "გამარჯობა", "Բարեւ", "አማርኛ ፩፪፫", "ᚠᚢᚦ", "𐍈𐌰𐌹", "Tiếng Việt có dấu", "Ελληνικά", "naïve café résumé Ångström", "cafe\u0301 café the cafés",
    "Straße İstanbul ıI ﬁ ﬂ ŉ", "e\u0301 a\u030a o\u0308 n\u0303", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!", "\u1100\u1161\u11a8", "ﷺ ﷽",
    "Ａｂｃ１２３　全角", "½ ¼ ² ³ ¹ ⁴ ₁₂ Ⅷ ⅷ ① ⑳ ㊿ ㋿ ٪", "∑∫√∞≈≠≤≥±×÷∂∇∈∉⊂⊃∪∩", "€£¥₹₽₿¢$", "←↑→↓⇒⇔ ░▒▓█ ╔═╗ ♠♣♥♦",
]
EMOJI = [
    "😀😃😄", "👍🏽👋🏿", "👨‍👩‍👧‍👦", "👩🏽‍💻 works", "🏳️‍🌈🏴‍☠️", "🇨🇳🇺🇸🇩🇪", "1️⃣2️⃣#️⃣", "❤️‍🔥", "☺️☺", "🧑‍🚀🚀", "a😀b", " 😀", "😀 ", "🫠🫡🪿", "👁️‍🗨️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
]
CODE = [
    "def f(x):\n    return {'x': x, \"y\": [1, 2, 3]}\n", "for (let i = 0; i < 10; i++) {\n\tconsole.log(`${i}: ${a[i] ?? null}`);\n}", "#include <stdio.h>\nint main(void) { return 0; }\n",
    "SELECT a.id, COUNT(*) FROM t AS a WHERE x >= 10 AND y <> 'z' GROUP BY 1;", "<div class=\"a b\" id='c'>&nbsp;<br/></div><!-- x -->", "{\"a\": [1, 2.5, -3e10, null, true], \"b\": {\"c\": \"\\u00e9\\n\"}}",
    "if x == 1:\n        y = 2\n    else:\n\n\n        y = 3", "\\begin{align} x^2 &= \\frac{1}{2} \\\\ \\end{align}", "fn main() -> Result<(), Box<dyn Error>> { let v: Vec<u8> = vec![0; 16]; Ok(()) }",
    "0x1F 0b1010 1e-9 1_000_000 .5 5. 3.14f -0", "a+=b; c&&=d||e; f=>g; h!==i; j**k; l//m; n<<=2; o?.p?.[q]", "[\n  1,\n  22,\n    333,\n\t4444\n]", "x  =  1\ny   = 22  # two\n", "| a | 1 |\n|---|---|\n|  22|   333 |",
    "diff --git a/x b/x\n@@ -1,2 +1,2 @@\n-old 1\n+new 2\n", "$ ls -la | grep '^d' > out.txt 2>&1", "regex: /^(?:\\d{3})-[a-z]+$/i", "C:\\Users\\x\\file.txt ~/.bashrc ../../up",
]
SPACES = [
    " ", "  ", "   ", "\t", "\t\t", "\n", "\n\n", "\r\n", "\r", " \n", "\n ", "\n\n\n  \n", "a b", "a  b", "a   b", " a", "  a", "a ", "a  ", "a\tb", "a \tb", "a\t b", "a\nb", "a\n\nb", "a \n b", "a\r\nb", "a\u00a0b",
    "a\u00a0 b", "a\u2003b", "a\u2009\u200ab", "a\u3000b", "a\u3000\u3000b", "a\u200bb", "a\u200cb\u200dc", "a\u2028b\u2029c", "a\ufeffb", "\ufeffa", "a \ufeff b", "a\u0085b", "a \u0085 b", "a\u1680b", "a\u180eb", "a\u202f1", "a\u205fb", "a\x0bb\x0cc",
    "1 2", "1  2", "1   2", "a 1", "a  1", "a   1", "\n1", "\n 1", "\n  1", "\t1", " \t 1", "  ٣", " ½", "  ²", " 。", "  中", "   .", " ,a", "a ,", " 's", "  's", "1's", " '", "' ", "don' t", "\u00a01", "\u3000１",
]
CONTROLS = ["a\x00b", "\x01\x02\x03", "a\x04b", "\x06\x13\x14\x16\x1d", "x\x04 \x06y", "\x7f", "\x80\x9f", "\x1b[31mred\x1b[0m", "a\x08b", "\u2060\u2061", "\u00ad\u00adsoft", "\u202eabc\u202c", "\ufffd", "\ufffe", "\ufdd0", "\U0010ffff", "a\U000f0000b", "\U000e0001", "\ue000"]
LONG = ["a" * 300, "ab" * 400, "abcdefghij" * 60, "0123456789" * 40, " " * 100, "\n" * 50, "漢" * 120, "😀" * 60, "A" * 64 + "a" * 64, "-" * 200, "=-" * 100, "\t" * 33, "x " * 150, "ing" * 100, "é" * 150]
IN_TEXT = [
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "a<|endoftext|>b", "a <|endoftext|> b", "<|im_end|><|im_end|>", "<|im_end|", "<|im_end |>", "< |im_end|>", "<<|im_end|>>", "<|im_start|><|im_start|>", "<|IM_END|>", "<repo_name>x<file_sep>y",
    "  <|im_end|>  ", "\n<|im_end|>\n", "1<|im_end|>2", "é<|im_end|>é", "<|endoftext|>" * 5, "<|im_start|>system\nYou are 三 <|im_end|>", "<filename>a.py<gh_stars>100", "<issue_start>x<issue_comment>y<issue_closed>", "<mask> <unk> </s> <s> [MASK]",
]


def strings(count: int, seed: int) -> list[str]:
    """The hand-written strings, then mixes of their pieces, `count` distinct ones in all."""
    fixed = ["", *ENGLISH, *OTHER, *EMOJI, *CODE, *SPACES, *CONTROLS, *LONG, *IN_TEXT]
    pick = random.Random(seed)
    words = [word for text in ENGLISH + OTHER + CODE for word in text.split()]
    blanks = [" ", " ", " ", " ", "  ", "\n", "\t", "", "\n\n", "   ", "\u00a0", "\u3000", " \n", "\r\n"]
    numbers = ["0", "7", "42", "1999", "3.14", "1,000", "٣٤", "½", "x2", "二", "１２", "²"]
    # Letters, marks, digits, punctuation and symbols of the first planes, as Unicode 6 had them, so that every Unicode version agrees.
    ranges = [(0x20, 0x7E), (0xA0, 0xFF), (0x100, 0x17F), (0x300, 0x36F), (0x391, 0x3C9), (0x400, 0x45F), (0x5D0, 0x5EA), (0x621, 0x64A), (0x660, 0x669), (0x905, 0x939), (0xE01, 0xE3A),
              (0x1E00, 0x1EFF), (0x2000, 0x206F), (0x20A0, 0x20B9), (0x2150, 0x2189), (0x2190, 0x21FF), (0x2460, 0x249B), (0x3000, 0x303F), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x4EFF), (0xAC00, 0xACFF), (0xFF01, 0xFF5E), (0x1F600, 0x1F637), (0x1D400, 0x1D433)]
    seen = dict.fromkeys(fixed)
    while len(seen) < count:
        kind = pick.randrange(4)
        if kind == 0:
            text = "".join(pick.choice(words) + pick.choice(blanks) for _ in range(pick.randint(1, 14)))
        elif kind == 1:
            text = "".join(pick.choice([pick.choice(words), pick.choice(EMOJI), pick.choice(numbers), pick.choice(SPACES)]) for _ in range(pick.randint(2, 10)))
        elif kind == 2:
            text = "".join(chr(pick.randint(*pick.choice(ranges))) for _ in range(pick.randint(1, 24)))
        else:
            text = "".join(pick.choice([pick.choice(words), pick.choice(SPECIAL), pick.choice(blanks), pick.choice(numbers)]) for _ in range(pick.randint(2, 9)))
        seen.setdefault(text)
    return list(seen)[:count]
