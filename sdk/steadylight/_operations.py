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

FETCH_ARTICLE = """\
query FetchArticle($input: ArticleInput!) {
  articleDocument(input: $input)
}
"""

FETCH_SEARCH = """\
query FetchSearch($input: SearchInput!) {
  searchDocument(input: $input)
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

_JOURNEY = """\
    journey {
      id
      type
      key
      status
      step
      steps
      outcome
      reopened
      startedAt
      activeAt
      changedAt
      changedIn
      questions {
        name
        label
        form
        choices
      }
    }
"""

START_JOURNEY = f"""\
mutation StartJourney($input: StartJourneyInput!) {{
  startJourney(input: $input) {{
{_JOURNEY}    answers {{
      question
      value
      at
      channel
      contact
      assurance
    }}
    resumed
    token
  }}
}}
"""

ASK_QUESTION = """\
mutation AskQuestion($input: AskQuestionInput!) {
  askQuestion(input: $input) {
    answer {
      question
      value
      at
      channel
      contact
      assurance
    }
    use
    again
    token
  }
}
"""

ADVANCE_JOURNEY = f"""\
mutation AdvanceJourney($input: AdvanceJourneyInput!) {{
  advanceJourney(input: $input) {{
{_JOURNEY}    isDone
    token
  }}
}}
"""

SET_JOURNEY_STATUS = f"""\
mutation SetJourneyStatus($input: SetJourneyStatusInput!) {{
  setJourneyStatus(input: $input) {{
{_JOURNEY}    isDone
    token
  }}
}}
"""

PERFORM_CAPABILITY = """\
mutation PerformCapability($input: PerformCapabilityInput!) {
  performCapability(input: $input) {
    performance {
      id
      capability
      key
      state
      output
      failure {
        code
        message
      }
      progress {
        done
        message
        at
      }
      channel
      attempt
      begunAt
      endedAt
      journey {
        id
      }
    }
    repeated
    token
  }
}
"""

LIST_CAPABILITIES = """\
query ListCapabilities($input: CapabilitiesInput!) {
  capabilities(input: $input) {
    name
    label
    description
    input
    output
    assurance
    reversible
    reversedBy
    timeout
    isOffered
    why
    reason
  }
}
"""

#: By operation name, which is also the name of the file.
OPERATIONS = {
    "RecordActions": RECORD_ACTIONS,
    "FetchContext": FETCH_CONTEXT,
    "FetchArticle": FETCH_ARTICLE,
    "FetchSearch": FETCH_SEARCH,
    "StartJourney": START_JOURNEY,
    "AskQuestion": ASK_QUESTION,
    "AdvanceJourney": ADVANCE_JOURNEY,
    "SetJourneyStatus": SET_JOURNEY_STATUS,
    "PerformCapability": PERFORM_CAPABILITY,
    "ListCapabilities": LIST_CAPABILITIES,
    "WhoAmI": WHO_AM_I,
    "RegisterChannel": REGISTER_CHANNEL,
}
