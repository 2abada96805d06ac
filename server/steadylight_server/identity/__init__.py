"""Who a customer is: identifiers, the profiles they lead to, and how sure one must be."""
