"""The GraphQL documents this SDK sends; equal to the files in schema/operations, which a test compares."""

RECORD_ACTIONS = """\
mutation RecordActions($input: RecordActionsInput!) {
  recordActions(input: $input) {
    verdicts
  }
}
"""

FETCH_CONTEXT = """\
query FetchContext($input: ContextInput!) {
  contextDocument(input: $input)
}
"""

WHO_AM_I = """\
query WhoAmI {
  viewer {
    channel
    scopes
    highestAssurance
    serverTime
  }
}
"""

REGISTER_CHANNEL = """\
mutation RegisterChannel($input: RegisterChannelInput!) {
  registerChannel(input: $input) {
    channel {
      name
    }
    key
  }
}
"""

#: By operation name, which is also the name of the file.
OPERATIONS = {
    "RecordActions": RECORD_ACTIONS,
    "FetchContext": FETCH_CONTEXT,
    "WhoAmI": WHO_AM_I,
    "RegisterChannel": REGISTER_CHANNEL,
}
