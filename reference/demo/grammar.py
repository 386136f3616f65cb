"""The grammar of the demo text: messages to a shop, and its replies in prose. Makes strings only; knows no tokens and no tickets.

A phrase is a string in which "[a|b]" is a choice (also nested, also empty) and "{slot}" a value drawn for the row, so that a reply repeats
what its message asked for.

    python reference/demo/grammar.py 20     prints twenty conversations
"""
import random
import re
import sys

import words

_CHOICE = re.compile(r'\[([^\[\]]*)\]')

# Frames of an order. Each names a quantity {q}, things {items}, a place {city} and a day {day}.
ORDER_FRAMES = [
    '[Please |Kindly |]SEND {q} {items} to {city} [on|by] {day}.',
    '[Please |Kindly |]SEND {q} {items} [on|by] {day} to {city}.',
    '[Please |]send us {q} {items} in {city} [on|by] {day}.',
    '[Can|Could|Would|Will] you [please |]SEND {q} {items} to {city} [on|by] {day}?',
    '[Can|Could] we [get|have] {q} {items} in {city} [on|by] {day}?',
    '[Can|May|Could] I [order|have] {q} {items} for {city}, [for|on|by] {day}?',
    '[I|We] [need|want|would like|require] {q} {items} in {city} [on|by] {day}.',
    '[I|We] [need|want|would like] {q} {items} sent to {city} [on|by] {day}.',
    '[I|We] would like to order {q} {items} for {city}, to arrive on {day}.',
    '[I|We] would like to [buy|order] {q} {items} for our [shop|store|office|house|cafe] in {city} by {day}.',
    'On {day}, [please|kindly] SEND {q} {items} to {city}.',
    'By {day}, [we|I] [need|want|must have] {q} {items} in {city}.',
    'For {day}, [we|I] [need|want] {q} {items} in {city}[, please|].',
    '{q} {items} to {city} [on|by] {day}, please.',
    '{q} {items} for {city} [on|by] {day}, please.',
    '{q} {items}, please, to {city} [on|by] {day}.',
    '{day}: {q} {items} to {city}.',
    '{day}, {city}: {q} {items}[, please|].',
    '{city} [needs|wants] {q} {items} [on|by] {day}.',
    'In {city} [we|I] [need|want] {q} {items} [on|by] {day}.',
    'My [shop|store|office|cafe|sister|mother|brother|friend] in {city} needs {q} {items} by {day}.',
    'Our [shop|store|office|cafe|team|school|hotel] in {city} [needs|wants|asks for] {q} {items} [on|by] {day}.',
    'The [shop|store|office|cafe|school|hotel] in {city} [needs|wants] {q} {items} [on|by] {day}.',
    'To {city}, please: {q} {items} on {day}.',
    'To {city} [on|by] {day}: {q} {items}[, please|].',
    'Order for {city}: {q} {items}, [for|on|by] {day}.',
    'New order: {q} {items}, {city}, {day}.',
    'Order: {q} {items} to {city} on {day}.',
    'Please [make|prepare|pack] {q} {items} for {city}, [ready|due] on {day}.',
    'Put [me|us] down for {q} {items} in {city} on {day}.',
    '[I|We] [will|shall] take {q} {items}. Send them to {city} [on|by] {day}.',
    '[I|We] need {q} {items}. [Please send|Send] them to {city} [on|by] {day}.',
    '[I|We] need {q} {items} [on|by] {day}. The address is in {city}.',
    'We are in {city} and need {q} {items} [on|by] {day}.',
    '[I am|We are] [opening a [shop|cafe] in|moving to] {city} on {day} and need {q} {items}.',
    'On {day} we open [a|our new] [shop|cafe|hotel] in {city}. We need {q} {items}.',
    '[I am|We are] in {city} until {day}. Please send {q} {items}.',
    'This is {name} [in|from] {city}. [Please send|I need|We need] {q} {items} [on|by] {day}.',
    '{name} here: {q} {items} to {city} [on|by] {day}, please.',
    '{name} in {city} [needs|wants|asked for] {q} {items} [on|by] {day}.',
    'My name is {name}. I need {q} {items} in {city} [on|by] {day}.',
    '{day} is the [day|date], {city} is the [place|city], and we need {q} {items}.',
    'Add {q} {items} to the [van|truck|delivery] that goes to {city} on {day}.',
    'Can the [van|truck] to {city} take {q} {items} on {day}?',
    'Will there be {q} {items} in {city} [on|by] {day}?',
    'If you can, SEND {q} {items} to {city} [on|by] {day}.',
    'As soon as {day}, if you can: {q} {items} to {city}.',
    'Someone in {city} wants {q} {items} [on|by] {day}.',
    '[I|We] forgot to order {items}: {q} to {city} [on|by] {day}, please.',
    'One more thing: {q} {items} to {city} [on|by] {day}.',
    'We are out of {items}, so SEND {q} to {city} [on|by] {day}.',
    '[I|We] [only|just] need {q} {items} in {city} [on|by] {day}.',
    '{city} on {day}: [we|they] need {q} {items}.',
    '{items}: {q}. City: {city}. Day: {day}.',
    'Day: {day}. City: {city}. We want {q} {items}.',
    'Quantity {q}, {items}, {city}, {day}.',
    '[I|We] would be [glad|grateful] to get {q} {items} in {city} [on|by] {day}.',
    'May we ask for {q} {items} in {city} [on|by] {day}?',
    'The customer in {city} ordered {q} {items} for {day}.',
    'We promised {city} {q} {items} for {day}.',
    'We have run out of {items} in {city}. Send {q} [on|by] {day}.',
    'Our {city} [shop|store|cafe] is out of {items}. Please send {q} [on|by] {day}.',
    'There is a [party|wedding|fair|meeting] in {city} on {day}. We need {q} {items}.',
    'Is it possible to get {q} {items} to {city} [on|by] {day}?',
    'Do you think {q} {items} could be in {city} [on|by] {day}?',
    'How about {q} {items} for {city} on {day}?',
    'Let us have {q} {items} in {city} [on|by] {day}.',
    'It would be great to have {q} {items} in {city} [on|by] {day}.',
    'Reserve {q} {items} for [delivery|shipping] to {city} on {day}.',
    'Book {q} {items} for {city}, delivery on {day}.',
    'The {items} are for {city}: {q} of them, [on|by] {day}.',
    'About the {items}: send {q} to {city} [on|by] {day}.',
    '[I|We] want {items} for {city}. [Make it|Send] {q}, [on|by] {day}.',
]
# Frames that the pretraining text never has: for the probe of unseen phrasings.
RESERVED_FRAMES = [
    'Have {q} {items} reach {city} no later than {day}.',
    'A customer from {city} is asking for {q} {items} on {day}.',
    'Next stop is {city}: drop off {q} {items} there on {day}.',
    'We expect {q} {items} at our {city} branch on {day}.',
    'Hurry! {city} must receive {q} {items} before {day}.',
    'When {day} comes, {q} {items} should be in {city}.',
]
_SEND = '[send|send|ship|deliver|post|mail]'
_OPENERS = '[||||||Hello, |Hi, |Hi there. |Hello. |Good morning. |Good evening. |Hello there. |Good day. ]'
_CLOSERS = '[||||||| Thanks.| Thank you.| Thanks a lot.| Thank you!| Many thanks.]'

ORDER_REPLIES = [
    '[Sure|Of course|Certainly|Yes|Thank you|Great|With pleasure|Very well|No problem|Gladly], '
    'we will [send|ship|deliver] {n} {things} to {city} on {day}.',
    '[Sure|Of course|Certainly], {n} {things} will be in {city} on {day}.',
    '[Thank you|Thanks]. [Your|The] {n} {things} will [arrive|be] in {city} on {day}.',
    'We will have {n} {things} in {city} on {day}.',
    'On {day}, {n} {things} will [be on their way|travel|go] to {city}.',
    'Your order of {n} {things} will reach {city} on {day}.',
    'That is {n} {things} for {city} on {day}. We will [see to it|take care of it|pack them today].',
    '[Good news:|Yes,] we have {n} {things} and can bring them to {city} on {day}.',
    '[All right|Very good], {city} will get {n} {things} on {day}.',
    'We have noted {n} {things}, to be sent to {city} on {day}.',
    'The driver will bring {n} {things} to {city} on {day}.',
    'We are happy to send {n} {things} to {city} on {day}.',
]

# (message, reply) pairs of everything else that is said in a shop. Replies repeat what was said: this is what teaches copying.
TALK = [
    ('How many {items} [do you have|are there] in {city}?', '[There are|We have] [{n2} {items}|{n2} of the {items}] in {city}.'),
    ('[Do you have|Have you got|Are there] [any|more] {items}[ in stock| in {city}| today|]?',
     '[Yes|Yes, of course|Certainly], we have [some|plenty of|{n2}] {items} [in stock|today|left].'),
    ('[Do you sell|Do you have|Are you selling] {items} [or|and] {items2}?',
     '[Yes, we sell both {items} and {items2}.|We sell {items2}, and {items} too.]'),
    ('What does {an_item} cost?', '[{An_item} costs|The price of {an_item} is] {price} dollars.'),
    ('How much [are|do you ask for] {q} {items}?', '{N} {items} cost {price} dollars[ in all|].'),
    ('[I|We] ordered {q} {items} [on|last] {day}. Where are they?',
     '[Your|The] {n} {items} from {day} are [on the way|in {city2}|with the driver].'),
    ('[I|We] ordered {items} for {city}. [Are they there|Have they arrived]?',
     '[Not yet|Almost]: the {items} [arrive|will be] in {city} on {day2}.'),
    ('The {items} in {city} arrived [broken|damaged|late|wet|in the wrong colour].',
     '[We are sorry|Sorry] about the {items}. New ones will be in {city} [on|by] {day2}.'),
    ('[I|We] got {q} {items}, but {q2} were [broken|missing|damaged].', 'We are sorry. We will send {n2} [new|more] {items} today.'),
    ('[Please cancel|Cancel] [my|our|the] order of {q} {items} [for|to] {city}.',
     'The order of {n} {items} [for|to] {city} [is|has been] cancelled.'),
    ('Please move [my|our] delivery from {day} to {day2}.', '[Done|Very well|Of course]: it will come on {day2}, not on {day}.'),
    ('Not {city}, [please send|send] the {items} to {city2}.', '[Understood|All right]: the {items} will go to {city2}, not to {city}.'),
    ('[I|We] said {q} {items}, but [I|we] need {q2}.', 'We have changed it [from {n} {items} to {n2}|to {n2} {items}].'),
    ('{name} wants {q} {items} and {name2} wants {q2} {items2}.', '{name} gets {n} {items}, and {name2} gets {n2} {items2}.'),
    ('{q} {items} are for {name}, {q2} {items2} for {name2}.', '{name2} gets {n2} {items2}, and {name} gets {n} {items}.'),
    ('{q} {items} to {city} and {q2} {items2} to {city2}.', '{city} gets {n} {items}, and {city2} gets {n2} {items2}.'),
    ('Please write "{city}" on the {items}.', 'We will write "{city}" on the {items}.'),
    ('The card should say "{name}".', '[The card will say|We will print] "{name}"[ on it|].'),
    ('My name is {name} and I live in {city}.', '[Hello|Welcome|Nice to meet you], {name}. How is [life|the weather] in {city}?'),
    ('[Hello|Hi], [this is|I am] {name} from {city}.',
     '[Hello|Hi|Welcome], {name}. [What can we send to {city}|How can we help you in {city}]?'),
    ('[Hello|Hi|Good morning|Good evening][!|.]',
     '[Hello|Welcome|Good day]! [How can we help you|What can we do for you|What would you like]?'),
    ('[Thank you|Thanks] for the {items}[!|.]', '[You are welcome|It was a pleasure]. Enjoy [the|your] {items}!'),
    ('[When|At what time] do you open on {day}?', 'On {day} we open at {hour} in the morning.'),
    ('When do you close on {day}?', 'On {day} we close at {hour} in the evening.'),
    ('Are you open on {day}?', '[Yes, we are open|No, we are closed] on {day}.'),
    ('[Where is your shop|Where can I find you] in {city}?', 'Our shop in {city} is on {street}.'),
    ('Do you deliver to {city}?', 'Yes, we deliver to {city} [every {day}|on {day}|every week].'),
    ('How long does it take to send {items} to {city}?', 'It takes {small} days to send {items} to {city}.'),
    ('[I|We] want to return [a|the] {item}.', '[Please send|You can bring] the {item} back [to our shop on {street}|within {n2} days].'),
    ('Is the {item} available in {colour}?', '[Yes, we have|No, we do not have] the {item} in {colour}.'),
    ('Which is better, the {colour} {item} or the {colour2} {item}?', '[Most people like|We like] the {colour2} {item} [best|more].'),
    ('{name} bought {q} {items} in {city} on {day}. How many did {name} buy?', '[{name} bought {n} {items}.|It was {n}.|{N} {items}.]'),
    ('{name} bought {q} {items} in {city} on {day}. Where did {name} buy them?',
     '[{name} bought them in {city}.|It was in {city}.|In {city}.]'),
    ('{name} bought {q} {items} in {city} on {day}. When did {name} buy them?',
     '[{name} bought them on {day}.|It was on {day}.|On {day}.]'),
    ('{name} bought {q} {items} in {city} on {day}. What did {name} buy?', '[{name} bought {items}.|{items}.]'),
    ('[The van|The truck] left {city} for {city2} on {day}.',
     '[It|The van|The truck] will [come from {city} and |]be in {city2} [soon|after {day}].'),
]
_ASK = [
    ('How many {items} is that?', '[That is|We will send] {n} {items}.'),
    ('Which city is it?', '[It is|The city is] {city}.'),
    ('Where do they go?', '[They go to|We send them to] {city}.'),
    ('Which day is it?', '[It is|The day is] {day}.'),
    ('When do they arrive?', 'They arrive on {day}.'),
    ('What do we pack?', '[We pack|You pack] {n} {items}.'),
]


def expand(source, phrase, slots):
    """Resolve the choices of `phrase` from the innermost out, then fill its slots. The first letter becomes a capital."""
    phrase = phrase.replace('SEND', _SEND)
    while True:
        chosen = _CHOICE.sub(lambda match: source.choice(match.group(1).split('|')), phrase)
        if chosen == phrase:
            break
        phrase = chosen
    text = re.sub(r'\{(\w+)\}', lambda match: slots[match.group(1)], phrase).strip()
    return text[0].upper() + text[1:]


def draw_slots(source):
    """Values for one row. Two of five places and one of three things are invented, so that only copying can repeat them."""
    def place():
        return words.invented_name(source) if source.random() < 0.4 else source.choice(words.CITY_NAMES)

    def things():
        return words.invented_things(source) if source.random() < 0.33 else source.choice(words.ITEM_PLURALS)

    def quantity():
        number = source.choice((source.randint(2, 12), source.randint(2, 60), source.randint(10, 99)))
        word = words.NUMBER_WORDS.get(number)
        return str(number), word if word and source.random() < 0.4 else str(number)

    item = source.choice(words.SINGULAR_READY)[:-1]
    (n2, q2), (n, q) = sorted((quantity(), quantity()), key=lambda pair: int(pair[0]))
    (day, day2), (name, name2) = source.sample(words.DAYS, 2), source.sample(words.FIRST_NAMES, 2)
    colour, colour2 = source.sample(words.COLOURS, 2)
    an_item = ('an ' if item[0] in 'aeiou' and item[:3] != 'uni' else 'a ') + item
    return {
        'n': n, 'N': n, 'q': q, 'n2': n2, 'q2': q2, 'items': things(), 'items2': things(), 'item': item, 'an_item': an_item,
        'An_item': an_item.capitalize(), 'city': place(), 'city2': place(), 'day': day, 'day2': day2, 'name': name, 'name2': name2,
        'colour': colour, 'colour2': colour2, 'price': str(source.randint(5, 400)),
        'hour': source.choice(('seven', 'eight', 'nine', 'ten')),
        'street': source.choice(words.STREET_NAMES), 'small': source.choice(('two', 'three', 'four', 'five', 'six', 'seven')),
    }


def order_message(source, slots, frames=ORDER_FRAMES, polite=True):
    """A message that orders `slots`' things, with a greeting or thanks around it at times."""
    text = expand(source, source.choice(frames), slots)
    if not polite:
        return text
    opener, closer = expand_plain(source, _OPENERS), expand_plain(source, _CLOSERS)
    if opener.endswith(', ') and text.split()[0].rstrip(',:') not in (slots['city'], slots['day'], slots['name'], 'I'):
        text = text[0].lower() + text[1:]
    return opener + text + closer


def expand_plain(source, phrase):
    return _CHOICE.sub(lambda match: source.choice(match.group(1).split('|')), phrase)


def conversation(source):
    """One (message, reply) pair: about half are orders answered in prose, the rest is everything else said in a shop."""
    slots = draw_slots(source)
    kind = source.random()
    if kind < 0.5:
        things = slots['items']
        if source.random() < 0.1:
            slots['items'] = things = f"{slots['colour']} {things}"
        message = order_message(source, slots)
        if source.random() < 0.1:  # as people type
            message = message.rstrip('.!?')
        return message, expand(source, source.choice(ORDER_REPLIES), slots | {'things': things})
    if kind < 0.62:
        question, answer = source.choice(_ASK)
        return f"{order_message(source, slots, polite=False)} {expand(source, question, slots)}", expand(source, answer, slots)
    if kind < 0.68:
        return record(source, slots)
    message, reply = source.choice(TALK)
    return expand(source, message, slots), expand(source, reply, slots)


def record(source, slots):
    """A stock record as a line of fields, and the sentence that it stands for. Records are read aloud: no text answers with one."""
    fields = [('item', slots['items']), ('city', slots['city']), ('day', slots['day'])]
    values = {'qty': slots['n']} | dict(source.sample(fields, source.choice((1, 2, 2, 3))))
    reply = f"{source.choice(('There are', 'We have'))} {slots['n']} {values.get('item', 'boxes')}"
    if 'city' in values:
        reply += f" in {values['city']}"
    if 'day' in values:
        reply += f" on {values['day']}"
    return record_line(values), reply + '.'


def record_line(values):
    return ', '.join(f'{key}: {value}' for key, value in values.items())


if __name__ == '__main__':
    shown = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    for _ in range(int(sys.argv[1])):
        print(' => '.join(conversation(shown)))
