"""Word lists of the demo text: things, places, people, colours. Own lists (names are facts); knows no grammar."""

# Things a shop sells, as plurals; the singular is the plural without its final "s".
ITEMS = """lamps chairs tables rugs mugs plates bowls spoons forks cups kettles candles pillows blankets towels mirrors
clocks vases baskets shelves_ desks stools benches_ curtains carpets frames posters notebooks pens pencils markers erasers rulers
folders binders staplers envelopes stamps cards calendars diaries_ maps globes backpacks suitcases umbrellas wallets belts
hats scarves_ gloves_ coats jackets shirts sweaters socks boots sandals shoes slippers rings necklaces bracelets earrings
drums guitars violins flutes trumpets pianos puzzles kites balls dolls robots trains blocks marbles dice_ tents lanterns ropes
hammers saws drills nails screws bolts ladders buckets brooms mops sponges brushes_ rakes shovels hoses seeds pots planters
tulips roses lilies_ cactuses_ ferns apples pears plums lemons oranges melons mangos grapes figs carrots onions peppers
tomatoes_ beans cakes cookies muffins pies tarts waffles pretzels bagels candies_ teapots jugs trays pans ovens toasters mixers
blenders grinders scales heaters fans phones tablets laptops keyboards monitors printers cameras speakers headphones chargers
cables batteries_ adapters routers magnets mats cushions duvets sheets quilts aprons napkins corks bottles jars cans crates
boxes_ bags pouches_ ribbons bells whistles medals trophies_ badges flags banners stickers helmets bicycles scooters skates
paddles canoes anchors compasses_ telescopes binoculars_ microscopes sensors filters valves pumps motors hinges handles locks keys
knobs tiles bricks panels beams planks stools dressers cribs bunks hammocks swings slides easels canvases_ paints crayons
chisels clamps pliers_ goggles_ masks razors combs soaps lotions perfumes vitamins bandages"""

CITIES = """Oslo Paris Rome Madrid Lisbon Berlin Vienna Prague Warsaw Athens Dublin London Glasgow Cardiff Leeds Bristol York Bath
Bergen Malmo Uppsala Aarhus Odense Turku Tampere Helsinki Riga Vilnius Tallinn Minsk Kyiv Lviv Odesa Krakow Gdansk Lodz Brno
Graz Linz Salzburg Zurich Geneva Basel Bern Milan Turin Venice Naples Genoa Pisa Bologna Florence Verona Palermo Porto Braga
Seville Granada Valencia Bilbao Malaga Lyon Nice Nantes Lille Toulouse Bordeaux Dijon Reims Brussels Ghent Bruges Antwerp
Utrecht Delft Leiden Hamburg Munich Cologne Bonn Dresden Leipzig Bremen Stuttgart Essen Budapest Szeged Debrecen Zagreb Pula
Belgrade Sofia Varna Skopje Tirana Sarajevo Bucharest Cluj Izmir Ankara Bursa Tbilisi Yerevan Baku Cairo Luxor Tunis Algiers
Rabat Fez Dakar Accra Lagos Abuja Nairobi Kampala Kigali Lusaka Harare Durban Tehran Shiraz Baghdad Amman Haifa Beirut Doha
Muscat Dubai Kabul Lahore Karachi Delhi Mumbai Pune Chennai Goa Kolkata Dhaka Colombo Kandy Lhasa Hanoi Hue Bangkok Phuket
Manila Cebu Jakarta Bandung Medan Seoul Busan Tokyo Osaka Kyoto Nara Kobe Sapporo Nagoya Taipei Beijing Shanghai Wuhan
Chengdu Harbin Dalian Xian Nanjing Suzhou Sydney Perth Darwin Hobart Adelaide Brisbane Auckland Dunedin Nelson Suva Boston
Chicago Denver Dallas Austin Houston Miami Tampa Atlanta Seattle Portland Phoenix Tucson Omaha Tulsa Detroit Memphis Reno Boise
Toronto Ottawa Montreal Quebec Calgary Halifax Winnipeg Regina Havana Merida Puebla Tijuana Cancun Bogota Cali Quito Lima Cusco
Arequipa Santiago Valdivia Mendoza Cordoba Rosario Montevideo Asuncion Brasilia Recife Natal Manaus Curitiba Fortaleza Caracas
Panama Managua Tegucigalpa Kingston Nassau Reykjavik Akureyri Tromso Narvik Stavanger Trondheim Kiruna Lund Visby Kalmar Esbjerg"""

NAMES = """Anna Ben Clara David Emma Felix Grace Henry Iris Jack Kate Leo Maria Noah Olga Paul Ruth Sam Tina Victor Wendy Xavier
Yara Zoe Alice Bruno Carmen Daniel Elena Frank Gloria Hugo Ida Jonas Karin Lucas Mia Nina Oscar Petra Rosa Simon Tara Ursula
Vera Walter Yusuf Amir Bianca Carlos Diana Erik Fatima George Hana Ivan Julia Kenji Laura Marco Nora Omar Priya Rahul Sofia
Tomas Uma Vincent Wei Ying Adam Beth Colin Dora Edgar Fiona Gavin Helen Ian Jane Keith Linda Martin Nadia Owen Peter Quinn
Robert Sarah Thomas Una Violet William Amy Brian Cora Dylan Ellen Fred Gina Harry Irene James Karen Lewis Molly Nathan Olivia
Philip Rachel Steven Teresa Umar Valerie Wayne Yvonne Abel Betty Chloe Dennis Esther Floyd Gwen Howard Isabel Joel Kim Lily
Mark Nancy Otto Pam Ralph Sally Todd Vivian Wade"""

STREETS = "High Street,Mill Lane,Park Road,Church Street,Station Road,Bridge Street,Garden Lane,River Road,King Street,Oak Avenue"
COLOURS = 'red blue green black white yellow brown grey purple pink'.split()
DAYS = 'Monday Tuesday Wednesday Thursday Friday Saturday Sunday'.split()
MONTHS = 'January February March April May June July August September October November December'.split()
NUMBER_WORDS = {2: 'two', 3: 'three', 4: 'four', 5: 'five', 6: 'six', 7: 'seven', 8: 'eight', 9: 'nine', 10: 'ten', 12: 'twelve'}

# Words with an underscore have a singular of their own; they are used in the plural only.
ITEM_PLURALS = list(dict.fromkeys(word.rstrip('_') for word in ITEMS.split()))
_PLURAL_ONLY = ('headphones', 'scales', 'mops')
SINGULAR_READY = [word for word in dict.fromkeys(ITEMS.split()) if not word.endswith('_') and word not in _PLURAL_ONLY]
CITY_NAMES = list(dict.fromkeys(CITIES.split()))
FIRST_NAMES = list(dict.fromkeys(NAMES.split()))
STREET_NAMES = STREETS.split(',')

# Never in the pretraining text: the held-out rows of the demo ask for some of these.
UNSEEN_ITEMS = """magazines wardrobes hairpins harmonicas padlocks lampshades teaspoons sunhats thermoses footballs
doormats raincoats""".split()
UNSEEN_CITIES = """Lucerne Siena Tartu Wroclaw Maribor Toledo Coimbra Ostrava Limerick Inverness Mombasa Windhoek Jaipur
Fukuoka Savannah Norwich Potsdam Ravenna Plovdiv""".split()

_ONSETS = 'B Br C Ch Cl Cr D Dr F Fl Fr G Gl Gr H J K Kl Kr L M N P Pl Pr Qu R S Sc Sh Sl St T Th Tr V W Wr Y Z'.split()
_VOWELS = 'a a e e i i o o u ai ea ee oa oo ou'.split()
_MIDDLES = '''l r n m s t d v b p g k ck ss ll tt nd rt lm lt rn nt ld rd mb ng nk ph sh th st sk rb rg rm rk lf lv mp ns ff
x z'''.split()
_CITY_ENDS = '''a o e i en er is on ia um el in ara ino ova ano ington ford ville burg wick stad dale mouth port field ham ton by
haven'''.split()
_THING_ENDS = 'in et o er ock ling an ip le el ette or ow en ant ing y- oon ard ell ic ine age'.split()


def _invented_start(random):
    start = random.choice(_ONSETS) + random.choice(_VOWELS) + random.choice(_MIDDLES)
    return start + random.choice(_VOWELS) + random.choice(_MIDDLES) if random.random() < 0.3 else start


def invented_name(random):
    """A pronounceable name that is nobody's, such as "Kelvova" or "Stirnford": what must be copied piece by piece."""
    while True:
        name = _invented_start(random) + random.choice(_CITY_ENDS)
        if name not in UNSEEN_CITIES and name not in CITY_NAMES:
            return name


def invented_things(random):
    """The plural of a thing that no dictionary has: "velmins", or a compound, "lampboxes"."""
    while True:
        if random.random() < 0.4:
            name = random.choice(SINGULAR_READY)[:-1] + random.choice(ITEM_PLURALS)
        else:
            end = random.choice(_THING_ENDS)
            name = _invented_start(random).lower() + ('ies' if end == 'y-' else end + 's')
        if name not in UNSEEN_ITEMS and name not in ITEM_PLURALS:
            return name
