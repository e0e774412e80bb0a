"""The one way to say that a record is to blame."""


class Reject(Exception):
    """Rejects a record, or refuses the plugin where it is raised while that is made:
    `raise millrace.Reject("why")`. The reason is exactly this text, without a type and
    without a traceback. A batch hook returns it in the place of a verdict."""
