# ruff: noqa: SIM905 (a list of words is easier to read and to extend as a text)
"""The vocabulary of synthetic worlds."""

from random import Random

MALE_NAMES = (
    "Aaron Adam Alan Albert Andre Anton Arthur Ben Boris Brian Bruno Caleb Carl Cesar Chad Conor "
    "Daniel David Dennis Derek Edgar Elias Eric Ethan Felix Floyd Frank Gavin George Glenn Harold "
    "Henry Hugo Ian Isaac Ivan Jacob James Jonas Keith Kevin Leo Liam Louis Marco Martin Max Milo "
    "Nathan Nico Noah Oscar Otto Owen Patrick Paul Peter Quentin Ralph Rene"
).split()

FEMALE_NAMES = (
    "Abby Ada Agnes Alice Amber Anna Audrey Beth Bianca Brenda Carla Celia Clara Cora Daisy Dana "
    "Diana Edith Elena Ella Emma Erica Eva Fiona Flora Gail Gina Grace Hannah Hazel Helen Holly "
    "Ida Ingrid Irene Iris Jane Janet Jenny Judith Julia Karen Kate Laura Lena Lily Lucy Mabel "
    "Maria Martha Mia Molly Nancy Nina Nora Olga Paula Petra Quinn Rita"
).split()

LAST_NAMES = (
    "Abbott Adler Archer Bailey Barnes Becker Bishop Bowen Brandt Burke Carver Chapman Cohen Cole "
    "Conway Cooper Dalton Dawson Drake Duncan Ellis Farmer Fischer Fleming Foster Fowler Garner "
    "Gibson Graves Griffin Hale Hanson Harper Hayes Holmes Hunt Ingram Jensen Keller Kemp Knight "
    "Lambert Lang Larson Lloyd Marsh Mason Meyer Morton Nash Newton Norris Olsen Palmer Parker "
    "Pearce Porter Quincy Ramsey Reed Rhodes Sawyer Shaw Sloan Stone Tanner Thorne Turner Vaughn "
    "Wagner Walsh Warren Weber Wolfe York"
).split()

ADJECTIVES = (
    "Amber Ancient Blue Bold Brave Bright Broken Burning Calm Clear Cold Crimson Dancing Deep "
    "Distant Dusty Early Electric Empty Endless Fading Faint Fallen Falling Fearless Foggy Frozen "
    "Gentle Golden Green Hidden Hollow Honest Icy Idle Jade Kind Late Little Lonely Lost Lucky "
    "Midnight Misty Northern Open Pale Patient Quiet Rising Rolling Sacred Scarlet Secret Silent "
    "Silver Slow Steady Stormy Sunlit Tender Velvet Wandering Wild"
).split()

NOUNS = (
    "Anchor Arrow Autumn Bell Bridge Candle Canyon Circle City Cloud Compass Corner Dawn Desert "
    "Door Dream Echo Ember Engine Falcon Feather Field Fire Forest Garden Ghost Glass Harbor "
    "Heart Hill Horizon Island Journey Lantern Letter Light Line Machine Map Mirror Moon Morning "
    "Mountain Night Ocean Orchard Paper Path Rain Raven River Road Shadow Signal Sky Snow Song "
    "Spring Star Station Storm Street Summer Tower Train"
).split()

PLACES = (
    "Alder Ashford Bayview Birch Carrow Cedar Clifton Dover Eastgate Elmwood Fairview Glenn "
    "Harrow Iverton Juniper Kingsley Lakeside Maple Norwood Oakdale Pine Quarry Ridge Salem "
    "Thornton Upton Valley Westbrook Willow Yarrow"
).split()

STATES = "California Colorado Georgia Illinois Maine Nevada Ohio Oregon Texas Vermont".split()

GENRES = "ambient blues classical country electronic folk jazz pop reggae rock soul".split()

THINGS = (
    "backpack bicycle blanket bookshelf camera chair clock blender desk drill fan heater helmet "
    "kettle keyboard lamp microphone monitor mug oven pillow printer projector radio router scale "
    "scarf speaker tent toaster umbrella wallet watch"
).split()

OCCASIONS = (
    "brunch carpool cinema coffee concert dinner groceries gym internet laundry lunch museum "
    "parking picnic rent taxi theatre tickets utilities vet"
).split()

TOPICS = (
    "birthday budget camping course garden gift holiday meeting moving party project reading "
    "recipe repair shopping training trip wedding workout"
).split()

_PHRASES = (
    "Could you call me back",
    "Do not forget the keys",
    "I found a better price",
    "I will be a little late",
    "It went better than expected",
    "Let me know what you think",
    "Please bring the documents",
    "See you at the usual place",
    "Thank you for your help",
    "That sounds like a good plan",
    "The table is booked for eight",
    "We should do this more often",
)


def title(random: Random) -> str:
    """A title of two words: "Quiet Harbor"."""
    return f"{random.choice(ADJECTIVES)} {random.choice(NOUNS)}"


def numbered_title(number: int) -> str:
    """A title that no other number up to 122,880 has: "Quiet Harbor of Cedar"."""
    rest, adjective = divmod(number, len(ADJECTIVES))
    place, noun = divmod(rest, len(NOUNS))
    if place >= len(PLACES):
        raise ValueError(f"there is no title number {number}")
    # The noun moves on with the adjective, so that neighbours do not look alike.
    noun = (noun + 7 * adjective) % len(NOUNS)
    return f"{ADJECTIVES[adjective]} {NOUNS[noun]} of {PLACES[place]}"


def sentences(random: Random, count: int) -> str:
    """So many sentences of small talk, on one line."""
    return " ".join(f"{random.choice(_PHRASES)}." for _ in range(count))


def password(random: Random) -> str:
    """A password of ten letters and digits."""
    return "".join(random.choices("abcdefghijkmnpqrstuvwxyz23456789", k=10))
